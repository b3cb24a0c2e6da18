/**
 * The header fields of one message, in order, with the names as received.
 *
 * Lookup is case-insensitive and knows the compact forms (RFC 3261 7.3.3: `v` is Via, `i` is Call-ID …). Unknown
 * header fields are written back byte for byte.
 */
import { fieldNumber } from './field-names.ts'
import type { NameAddr, SipUri, Via } from './message.ts'

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

/**
 * The one implementation. Four columns of equal length; the parser fills them directly, everybody else goes through
 * the methods, which keep line ends out of values.
 */
export class Fields implements HeaderList {
  readonly names: string[]
  /** `fieldNumber` of each name. */
  readonly numbers: number[]
  readonly values: string[]
  /** For folded fields the value as received, for the writer; undefined as long as none is folded. */
  raw: (string | undefined)[] | undefined

  // What has been read of the fields that every message is asked for, each beside the text it was read from: a value
  // that is set anew is read anew.
  viaText: string | undefined
  via: Via | undefined
  fromText: string | undefined
  from: NameAddr | undefined
  toText: string | undefined
  to: NameAddr | undefined
  contactText: string | undefined
  contact: readonly NameAddr[] | undefined
  requestUriText: string | undefined
  requestUri: SipUri | undefined

  constructor(names: string[], numbers: number[], values: string[], raw?: (string | undefined)[]) {
    this.names = names
    this.numbers = numbers
    this.values = values
    this.raw = raw
    this.viaText = this.fromText = this.toText = this.contactText = this.requestUriText = undefined
    this.via = this.from = this.to = this.contact = this.requestUri = undefined
  }

  /** For the parser: `value` is a single line; `raw` is given when it was folded. */
  add(name: string, number: number, value: string, raw: string | undefined): void {
    if (raw !== undefined) this.raw ??= this.names.map(() => undefined)
    this.names.push(name)
    this.numbers.push(number)
    this.values.push(value)
    this.raw?.push(raw)
  }

  get(name: string): string | undefined {
    const at = this.#find(name, 0)
    return at < 0 ? undefined : this.values[at]
  }

  /** The first value of the field with this number (not 0). */
  first(number: number): string | undefined {
    const at = this.numbers.indexOf(number)
    return at < 0 ? undefined : this.values[at]
  }

  getAll(name: string): readonly string[] {
    const found: string[] = []
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 1)) found.push(this.values[at] as string)
    return found
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0
  }

  set(name: string, value: string): void {
    const first = this.#find(name, 0)
    if (first < 0) {
      this.append(name, value)
      return
    }
    for (let at = this.#find(name, first + 1); at >= 0; at = this.#find(name, at)) this.#cut(at)
    this.names[first] = name
    this.replace(first, value)
  }

  append(name: string, value: string): void {
    this.names.push(name)
    this.numbers.push(fieldNumber(name))
    this.values.push(oneLine(value))
    this.raw?.push(undefined)
  }

  prepend(name: string, value: string): void {
    const at = Math.max(this.#find(name, 0), 0)
    this.names.splice(at, 0, name)
    this.numbers.splice(at, 0, fieldNumber(name))
    this.values.splice(at, 0, oneLine(value))
    this.raw?.splice(at, 0, undefined)
  }

  remove(name: string): void {
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at)) this.#cut(at)
  }

  /** Another value for the field at that place. */
  replace(at: number, value: string): void {
    this.values[at] = oneLine(value)
    if (this.raw) this.raw[at] = undefined
  }

  /** Appends the fields of that number from another list under one name; values are trusted to be single lines. */
  copy(from: Fields, name: string, number: number, all: boolean): void {
    for (let at = from.numbers.indexOf(number); at >= 0; at = from.numbers.indexOf(number, at + 1)) {
      this.names.push(name)
      this.numbers.push(number)
      this.values.push(from.values[at] as string)
      if (!all) return
    }
  }

  *entries(): Iterable<readonly [name: string, value: string]> {
    for (let i = 0; i < this.names.length; i++) yield [this.names[i] as string, this.values[i] as string]
  }

  clone(): HeaderList {
    return new Fields(this.names.slice(), this.numbers.slice(), this.values.slice(), this.raw?.slice())
  }

  #find(name: string, from: number): number {
    const number = fieldNumber(name)
    if (number > 0) return this.numbers.indexOf(number, from)
    for (let at = this.numbers.indexOf(0, from); at >= 0; at = this.numbers.indexOf(0, at + 1)) {
      if (sameName(this.names[at] as string, name)) return at
    }
    return -1
  }

  #cut(at: number): void {
    this.names.splice(at, 1)
    this.numbers.splice(at, 1)
    this.values.splice(at, 1)
    this.raw?.splice(at, 1)
  }
}

function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase())
}

/** No value of ours may end its line and begin another field. */
function oneLine(value: string): string {
  return /[\r\n]/.test(value) ? value.replace(/[\r\n]+[ \t]*/g, ' ').trim() : value
}

/** A new list of these fields in this order. */
export function headerList(entries: Iterable<readonly [name: string, value: string]> = []): HeaderList {
  const list = new Fields([], [], [])
  for (const [name, value] of entries) list.append(name, value)
  return list
}

/** The implementation behind a list. */
export function fieldsOf(headers: HeaderList): Fields {
  return headers instanceof Fields ? headers : (headerList(headers.entries()) as Fields)
}
