export { type ConfigSources, parseSettings } from './config/parse-config.ts';
export { type RoleName, roleNames, type ServerConfig, toServerConfig } from './config/server-config.ts';
export type { SettingName, SettingValues } from './config/settings.ts';
export { fsck } from './fsck/fsck.ts';
export type { FsckReport } from './fsck/report.ts';
export { type RunningServer, type ServerDeps, startServer } from './server/start-server.ts';
