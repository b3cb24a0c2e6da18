import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatMoney, parseMoney, readMoney, roundTo } from '@tandem/money/money.ts'
import { progressiveCharge } from '@tandem/rating/bandwidth.ts'
import { buildPrefixTable } from '@tandem/rating/prefix-table.ts'
import { billedDuration, DEFAULT_TERMS, priceDuration } from '@tandem/rating/rate-call.ts'
import { parse } from 'csv-parse/sync'

const read = (file: string) => readFileSync(new URL(`cases/${file}`, import.meta.url), 'utf8')

interface VoiceCase {
  id: string
  connect_fee: string
  'slots(from_s|rate|per_s|incr_s;...)': string
  duration_s: string
  expected_cost: string
  derived_exact_rounded: string
  derived_billed_s: string
}

for (const c of parse(read('voice_rating.csv'), { columns: true }) as VoiceCase[]) {
  test(c.id, () => {
    const slots = c['slots(from_s|rate|per_s|incr_s;...)']
      .split(';')
      .map((slot) => slot.split('|') as [string, string, string, string])
    // An increment of a microsecond means "no increment": billed to the millisecond here.
    const increment = (i: number) => Math.floor(Number((slots[i] ?? slots[0])?.[3]) * 1000)
    const terms = {
      ...DEFAULT_TERMS,
      firstMs: increment(0),
      nextMs: increment(1),
      rounding: 'half-even' as const,
      decimals: 10,
    }
    for (const [, , per] of slots) assert.equal(per, '60')
    const billedMs = billedDuration(Math.round(Number(c.duration_s) * 1000), terms)
    assert.equal(billedMs / 1000, Number(c.derived_billed_s))
    const steps = slots.map(([from, rate]) => ({ fromMs: Number(from) * 1000, perMinute: parseMoney(rate) }))
    const { amount } = priceDuration(billedMs, parseMoney(c.connect_fee), steps, terms)
    assert.equal(formatMoney(amount), formatMoney(tenDecimals(c.derived_exact_rounded)))
  })
}

/** The cases print 12 decimals of a third; money holds 10. */
function tenDecimals(text: string) {
  const reading = readMoney(text)
  if (reading.kind === 'money') return reading.money
  const point = text.indexOf('.')
  const next = Number(text[point + 11]) >= 5 ? 1n : 0n
  return parseMoney(text.slice(0, point + 11)) + next
}

/** The decks that the prefix cases name: [prefix, name, weight]; of one prefix twice the heavier row is loaded. */
const STANDARD: [string, string, number][] = [
  ['855', '855 standard', 10],
  ['85597', '85597 exception', 10],
  ['', 'catch-all', 10],
]
function deckNamed(name: string): [string, string, number][] {
  if (name === 'standard') return STANDARD
  if (name.startsWith('promo')) return [...STANDARD, ['855', '855 promo', 20]]
  if (name.startsWith('(')) return []
  return name.split(',').map((row) => [...row.split('->'), 0] as [string, string, number])
}

const prefixCases = JSON.parse(read('longest_prefix.json')).cases as {
  deck: string
  number: string
  expected: string
}[]
for (const [i, c] of prefixCases.entries()) {
  test(`longest-prefix-${i + 1}: ${c.number} in ${c.deck} is ${c.expected}`, () => {
    const heaviest = new Map<string, [string, string, number]>()
    for (const row of deckNamed(c.deck)) if ((heaviest.get(row[0])?.[2] ?? -1) < row[2]) heaviest.set(row[0], row)
    const rows = [...heaviest.values()]
    const found = rows[buildPrefixTable(rows.map(([prefix]) => prefix)).longest(c.number)]?.[1] ?? 'NOMATCH'
    assert.equal(found, c.expected.replace(/ \(.*\)$/, ''))
  })
}

interface BandwidthCase {
  model: string
  thresholds_mbps_price: [number | string, string][]
  prepaid_mbps?: number
  start_price?: string
  p95_mbps: number
  expected_usd?: string
  expected_eur?: string
}

const bandwidthCases = JSON.parse(read('bandwidth_p95.json')).cases as BandwidthCase[]
for (const [i, c] of bandwidthCases.entries()) {
  test(`bandwidth-${i + 1}: ${c.p95_mbps} Mbit/s, ${c.model}`, () => {
    const decimal = (value: number | string) => parseMoney(String(value))
    const charge = progressiveCharge(
      decimal(c.p95_mbps),
      c.thresholds_mbps_price.map(([from, price]) => ({ from: decimal(from), price: decimal(price) })),
      { prepaid: decimal(c.prepaid_mbps ?? 0), start: decimal(c.start_price ?? '0'), rounding: 'half-up', decimals: 2 },
    )
    assert.equal(
      formatMoney(charge),
      formatMoney(roundTo(parseMoney(c.expected_usd ?? c.expected_eur ?? ''), 2, 'half-up')),
    )
  })
}
