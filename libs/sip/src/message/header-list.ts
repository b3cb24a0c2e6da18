/**
 * The header fields of one message, in order, with the names as received.
 *
 * Lookup is case-insensitive and knows the compact forms (RFC 3261 7.3.3: `v` is Via, `i` is Call-ID …). Unknown
 * header fields are written back byte for byte.
 */
export interface HeaderList {
  /** Value of the first field of that name, unfolded, trimmed; undefined when absent. */
  get(name: string): string | undefined
  /** The values of all fields of that name, one per field line (not split at commas). */
  getAll(name: string): readonly string[]
  has(name: string): boolean
  /** Replaces all fields of that name by one, at the place of the first, or appends. */
  set(name: string, value: string): void
  append(name: string, value: string): void
  /** Puts a field before all fields of that name (Via, Record-Route, Route), or first of all when there is none. */
  prepend(name: string, value: string): void
  /** Removes all fields of that name. */
  remove(name: string): void
  /** [name as received, value] in order. */
  entries(): Iterable<readonly [name: string, value: string]>
  clone(): HeaderList
}
