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

/** RFC 3261 7.3.3 and the registry of compact forms: the lower-case name of every field as it may be written. */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
}

/** Names seen as written -> key. Bounded: names come from the network. */
const keys = new Map<string, string>()
const MAX_INTERNED = 512

/** The key by which a field is found: lower case, long form. */
export function headerKey(name: string): string {
  const known = keys.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const key = (lower.length === 1 ? COMPACT[lower] : undefined) ?? lower
  if (keys.size < MAX_INTERNED && name.length <= 40) keys.set(name, key)
  return key
}

class Fields implements HeaderList {
  readonly #names: string[]
  readonly #keys: string[]
  readonly #values: string[]

  constructor(names: string[], keys: string[], values: string[]) {
    this.#names = names
    this.#keys = keys
    this.#values = values
  }

  get(name: string): string | undefined {
    const at = this.#keys.indexOf(headerKey(name))
    return at < 0 ? undefined : this.#values[at]
  }

  getAll(name: string): readonly string[] {
    const key = headerKey(name)
    const found: string[] = []
    for (let at = this.#keys.indexOf(key); at >= 0; at = this.#keys.indexOf(key, at + 1)) {
      found.push(this.#values[at] as string)
    }
    return found
  }

  has(name: string): boolean {
    return this.#keys.includes(headerKey(name))
  }

  set(name: string, value: string): void {
    const key = headerKey(name)
    const first = this.#keys.indexOf(key)
    if (first < 0) {
      this.append(name, value)
      return
    }
    this.#names[first] = name
    this.#values[first] = value
    for (let at = this.#keys.lastIndexOf(key); at > first; at = this.#keys.lastIndexOf(key)) this.#cut(at)
  }

  append(name: string, value: string): void {
    this.#names.push(name)
    this.#keys.push(headerKey(name))
    this.#values.push(value)
  }

  prepend(name: string, value: string): void {
    const key = headerKey(name)
    const at = Math.max(this.#keys.indexOf(key), 0)
    this.#names.splice(at, 0, name)
    this.#keys.splice(at, 0, key)
    this.#values.splice(at, 0, value)
  }

  remove(name: string): void {
    const key = headerKey(name)
    for (let at = this.#keys.indexOf(key); at >= 0; at = this.#keys.indexOf(key)) this.#cut(at)
  }

  *entries(): Iterable<readonly [name: string, value: string]> {
    for (let i = 0; i < this.#names.length; i++) yield [this.#names[i] as string, this.#values[i] as string]
  }

  clone(): HeaderList {
    return new Fields(this.#names.slice(), this.#keys.slice(), this.#values.slice())
  }

  #cut(at: number): void {
    this.#names.splice(at, 1)
    this.#keys.splice(at, 1)
    this.#values.splice(at, 1)
  }
}

/** A new list of these fields in this order. */
export function headerList(entries: Iterable<readonly [name: string, value: string]> = []): HeaderList {
  const list = new Fields([], [], [])
  for (const [name, value] of entries) list.append(name, value)
  return list
}
