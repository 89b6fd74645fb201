export { type ConditionValue, type NewValueOf, readCondition, readFilter } from './read-filter.ts';
export { readValue } from './read-value.ts';
