import { createHash } from 'node:crypto'
import { type Money, type MoneyReading, readMoney } from '@tandem/money/money.ts'
import { parse } from 'csv-parse/sync'
import { type Deck, type DeckRow, deckOf, type PackedDeck, packDeck } from './packed-deck.ts'
import { readInstant } from './zone-time.ts'

export type { Deck, DeckRow }

export interface RowError {
  /** Line of the file, from 1. */
  line: number
  column: string
  reason: string
}

export type DeckReading = { kind: 'deck'; deck: Deck } | { kind: 'invalid'; errors: RowError[] }
export type PackedDeckReading = { kind: 'packed'; packed: PackedDeck } | { kind: 'invalid'; errors: RowError[] }

export interface DeckSource {
  name: string
  currency: string
  /** IANA zone in which from and to without an offset are read. */
  timeZone: string
  /** Everything else that a price depends on; part of the version. */
  terms?: string
}

const COLUMNS = ['prefix', 'name', 'connect', 'perMinute', 'from', 'to'] as const
const REQUIRED = ['prefix', 'perMinute'] as const
/** Beyond it a price does not fit in 64 bits, and is a mistake anyway. */
const DEAREST: Money = 900_000_000n * 10_000_000_000n
const MAX_ERRORS = 100

/** Reads `prefix,name,connect,perMinute,from,to` with a header line (any order, RFC 4180 quoting). All errors come at once. */
export function readDeck(csv: string, source: DeckSource): DeckReading {
  const reading = readPackedDeck(csv, source)
  if (reading.kind === 'invalid') return reading
  const { name, currency } = source
  return { kind: 'deck', deck: deckOf(reading.packed, { name, currency, version: deckVersion(csv, source) }) }
}

/** The same, before anybody looks up: what comes of it goes from one process to another as it is. */
export function readPackedDeck(csv: string, source: DeckSource): PackedDeckReading {
  const errors: RowError[] = []
  const lines = splitLines(csv, errors)
  const header = lines[0]
  if (header === undefined) return { kind: 'invalid', errors: errors.length > 0 ? errors : [missingHeader()] }
  const place = readHeader(header.fields, errors)
  if (errors.length > 0) return { kind: 'invalid', errors }

  const rows: ReadRow[] = []
  const prices = new Map<string, MoneyReading>()
  for (let i = 1; i < lines.length; i += 1) {
    const { line, fields } = lines[i] as Line
    const row = readRow(line, fields, place, source.timeZone, prices, errors)
    if (row !== undefined) rows.push(row)
    if (errors.length >= MAX_ERRORS) return { kind: 'invalid', errors }
  }
  rows.sort(byPrefixThenNewest)
  for (let i = 1; i < rows.length; i += 1) {
    const [a, b] = [rows[i - 1], rows[i]] as [ReadRow, ReadRow]
    if (a.prefix === b.prefix && a.from === b.from) {
      errors.push({
        line: Math.max(a.line, b.line),
        column: 'prefix',
        reason: twice(a.prefix, Math.min(a.line, b.line)),
      })
    }
  }
  if (errors.length > 0) return { kind: 'invalid', errors: errors.sort((a, b) => a.line - b.line) }
  return { kind: 'packed', packed: packDeck(rows) }
}

/** The hash of all that a price depends on: a deck of the same version is the same. */
export function deckVersion(csv: string, { name, currency, timeZone, terms }: DeckSource): string {
  const about = JSON.stringify([name, currency, timeZone, terms ?? ''])
  return createHash('sha256').update(about).update(csv).digest('hex').slice(0, 16)
}

interface ReadRow extends DeckRow {
  line: number
  /** The first 15 digits, filled up with zeros: compared much faster than text. */
  order: number
}

function byPrefixThenNewest(a: ReadRow, b: ReadRow): number {
  if (a.order !== b.order) return a.order - b.order
  if (a.prefix !== b.prefix) return a.prefix < b.prefix ? -1 : 1
  return (b.from ?? -1e15) - (a.from ?? -1e15)
}

interface Line {
  line: number
  fields: string[]
}

function splitLines(csv: string, errors: RowError[]): Line[] {
  const text = csv.charCodeAt(0) === 0xfeff ? csv.slice(1) : csv
  if (!text.includes('"')) {
    const lines: Line[] = []
    for (const [i, raw] of text.split('\n').entries()) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line.trim() !== '') lines.push({ line: i + 1, fields: line.split(',') })
    }
    return lines
  }
  try {
    const records = parse(text, { relax_column_count: true, skip_empty_lines: true, info: true }) as unknown as {
      record: string[]
      info: { lines: number }
    }[]
    return records.map(({ record, info }) => ({ line: info.lines, fields: record }))
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number }
    errors.push({ line: lines ?? 1, column: 'prefix', reason: message })
    return []
  }
}

type Places = Map<(typeof COLUMNS)[number], number>

function readHeader(fields: readonly string[], errors: RowError[]): Places {
  const place: Places = new Map()
  for (const [i, raw] of fields.entries()) {
    const column = COLUMNS.find((name) => name.toLowerCase() === raw.trim().toLowerCase())
    if (column === undefined) {
      errors.push({ line: 1, column: raw.trim(), reason: `unknown column; the columns are ${COLUMNS.join(',')}` })
    } else place.set(column, i)
  }
  for (const column of REQUIRED) {
    if (!place.has(column)) errors.push({ line: 1, column, reason: 'the header line lacks this column' })
  }
  return place
}

function readRow(
  line: number,
  fields: readonly string[],
  place: Places,
  zone: string,
  prices: Map<string, MoneyReading>,
  errors: RowError[],
) {
  const before = errors.length
  const text = (column: (typeof COLUMNS)[number]) => fields[place.get(column) ?? -1]?.trim() ?? ''
  const wrong = (column: string, reason: string) => errors.push({ line, column, reason })

  if (fields.length > place.size) wrong('prefix', `${fields.length} fields where the header has ${place.size}`)
  const written = text('prefix')
  const prefix = written.startsWith('+') ? written.slice(1) : written
  if (!/^\d{0,20}$/.test(prefix)) wrong('prefix', `"${written.slice(0, 40)}" is not a prefix of digits`)

  const price = (column: 'connect' | 'perMinute'): Money => {
    const amount = text(column)
    if (amount === '' && column === 'connect') return 0n
    let reading = prices.get(amount)
    if (reading === undefined) {
      reading = readMoney(amount)
      prices.set(amount, reading)
    }
    if (reading.kind === 'invalid') wrong(column, reading.reason)
    else if (reading.money < 0n) wrong(column, `${amount} is negative`)
    else if (reading.money > DEAREST) wrong(column, `${amount} is beyond any price`)
    else return reading.money
    return 0n
  }
  const time = (column: 'from' | 'to'): number | undefined => {
    const date = text(column)
    if (date === '') return undefined
    const instant = readInstant(date, zone)
    if (instant === undefined)
      wrong(column, `"${date.slice(0, 40)}" is no date; write 2026-01-31 or 2026-01-31T08:00:00Z`)
    return instant
  }

  const connect = price('connect')
  const perMinute = price('perMinute')
  const from = time('from')
  const to = time('to')
  if (from !== undefined && to !== undefined && to <= from) wrong('to', 'ends before it begins')
  if (errors.length > before) return undefined
  return {
    line,
    order: Number(prefix.slice(0, 15).padEnd(15, '0')),
    prefix,
    name: text('name'),
    connect,
    perMinute,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
}

function missingHeader(): RowError {
  return { line: 1, column: 'prefix', reason: `the file is empty; its first line is ${COLUMNS.join(',')}` }
}

function twice(prefix: string, line: number): string {
  return `prefix ${prefix === '' ? '(catch-all)' : prefix} with the same from is already on line ${line}`
}
