/** Longest prefix, increments and one rounding, exactly. */
import { type Money, type RoundingMode, readMoney, roundFraction } from '@tandem/money/money.ts'
import { Failure } from '../failure.ts'

export interface Rate {
  prefix: string
  name: string
  connect: Money
  perMinute: Money
}

export interface Quoted {
  row: Rate
  billedSeconds: number
  amount: Money
}

/** Rows that hold at `now`; a row of a later `from` wins over an earlier one of the same prefix. */
export function readRates(csv: string, now: number): Map<string, Rate> {
  const [head = '', ...lines] = csv.replace(/^\uFEFF/, '').split(/\r?\n/)
  const columns = head.split(',').map((c) => c.trim())
  const rates = new Map<string, Rate & { from: number }>()
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    const fields = line.split(',')
    const at = (column: string) => (fields[columns.indexOf(column)] ?? '').trim()
    const from = at('from') === '' ? Number.NEGATIVE_INFINITY : Date.parse(at('from'))
    if (from > now || (at('to') !== '' && Date.parse(at('to')) <= now)) continue
    const prefix = at('prefix').replace(/^\+/, '')
    const before = rates.get(prefix)
    if (before && before.from >= from) continue
    const money = (column: string) => price(at(column) || '0', column, i + 2)
    rates.set(prefix, { prefix, name: at('name'), connect: money('connect'), perMinute: money('perMinute'), from })
  }
  return rates
}

function price(text: string, column: string, line: number): Money {
  const read = readMoney(text)
  if (read.kind === 'money') return read.money
  throw new Failure(`line ${line}, ${column}: ${read.reason}`, 'Write a price with a point, as 0.0120.')
}

export interface Question {
  digits: string
  seconds: number
  first: number
  next: number
  rounding: RoundingMode
  decimals: number
}

export function quote(rates: ReadonlyMap<string, Rate>, q: Question): Quoted | null {
  let row: Rate | undefined
  for (let n = q.digits.length; n >= 0 && !row; n--) row = rates.get(q.digits.slice(0, n))
  if (!row) return null
  const talked = Math.ceil(q.seconds)
  const billedSeconds =
    talked === 0 ? 0 : talked <= q.first ? q.first : q.first + Math.ceil((talked - q.first) / q.next) * q.next
  const numerator = billedSeconds === 0 ? 0n : row.connect * 60n + row.perMinute * BigInt(billedSeconds)
  return { row, billedSeconds, amount: roundFraction(numerator, 60n, q.decimals, q.rounding) }
}
