/** The metrics of the dialect; `libs/format` has the same names in schemas. */
export type DistanceMetric = 'cosine_distance' | 'euclidean_squared' | 'dot_product';
