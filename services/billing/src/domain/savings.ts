import {
  divideRounded,
  formatMoney,
  type Money,
  mulInteger,
  ONE,
  parseMoney,
  readMoney,
  roundTo,
} from '@tandem/money/money.ts'
import { type BandwidthSample, type BandwidthTerms, rateBandwidth, WINDOW_MS } from '@tandem/rating/bandwidth.ts'
import { billedDuration, DEFAULT_TERMS, rateCall } from '@tandem/rating/rate-call.ts'
import type { PerMinuteTariff, Tariffs } from './tariffs.ts'
import { busyHourErlang, channelsFor, type Interval, peakConcurrency } from './traffic.ts'

/** One answered trunk leg of the period. */
export interface SavingsCall {
  site: string
  start: number
  durationMs: number
  number: string
}

export interface Savings {
  currency: string
  ways: { name: string; monthly: string; explanation: string }[]
  /** Every figure the ways rest on, also those that nobody gave. */
  inputs: Record<string, string>
}

/** What a way costs where the configuration has no deck for it. Assumptions of ours, all to be overridden by `inputs`. */
const ASSUMED = {
  'pri-monthly': '400',
  'pri-channels': '23',
  'pri-per-minute': '0.02',
  'gateway-monthly': '150',
  'sip-per-minute': '0.01',
  'pack-channels': '5',
  'pack-monthly': '100',
  'bandwidth-commit-mbit': '1',
  'bandwidth-increment-mbit': '1',
  'bandwidth-monthly-per-mbit': '12.5',
  'bandwidth-burst-per-mbit': '18',
  'blocking-target': '0.01',
} as const

const DAY_MS = 86_400_000
/** A month for scaling: 365.25 / 12 days, as ms. */
const MONTH_MS = 30.4375 * DAY_MS

/**
 * The same calls priced four ways (B14). Minutes are scaled from the period to a month; lines, packs and bandwidth are
 * bought for the peak, which is not scaled. Throws RangeError on an input that is no decimal, or that it does not know.
 */
export function compareWays(
  calls: readonly SavingsCall[],
  samples: readonly BandwidthSample[],
  period: Interval,
  tariffs: Tariffs,
  given: Readonly<Record<string, string>> = {},
): Savings {
  const input = readInputs(given)
  const length = Math.max(DAY_MS, period.end - period.start)
  const perMonth = BigInt(Math.round((MONTH_MS * 1e6) / length))
  /** Scaled to a month. */
  const monthly = (amount: Money) => divideRounded(amount * perMonth, 1_000_000n, 'half-up')

  const intervals = calls.map((call) => ({ start: call.start, end: call.start + call.durationMs, site: call.site }))
  const sites = Object.entries(Object.groupBy(intervals, (call) => call.site)) as [string, Interval[]][]
  const target = Number(formatMoney(input.money('blocking-target')))
  const need = (some: readonly Interval[]) => Math.max(peakConcurrency(some), channelsFor(busyHourErlang(some), target))
  const pooled = need(intervals)
  const separate = sites.reduce((total, [, some]) => total + need(some), 0)

  const perMinuteDeck = [...tariffs.tariffs.values()].find((tariff) => tariff.kind === 'per-minute')
  const bandwidthDeck = [...tariffs.tariffs.values()].find((tariff) => tariff.kind === 'bandwidth')
  const minute = { ...DEFAULT_TERMS, firstMs: 60_000, nextMs: 60_000 }
  const billedMinutes = calls.reduce((total, call) => total + billedDuration(call.durationMs, minute) / 60_000, 0)
  const minutesMonthly = (rate: Money) => monthly(mulInteger(rate, billedMinutes))

  const priChannels = input.count('pri-channels')
  const pris = sites.reduce((total, [, some]) => total + Math.max(1, Math.ceil(need(some) / priChannels)), 0)
  const pri =
    mulInteger(input.money('pri-monthly'), pris) +
    mulInteger(input.money('gateway-monthly'), sites.length) +
    minutesMonthly(input.money('pri-per-minute'))

  const sip = sipPerMinute(calls, perMinuteDeck, input.money('sip-per-minute'), minutesMonthly, monthly)

  const packChannels = input.count('pack-channels')
  const packs = Math.ceil(pooled / packChannels)

  const terms: BandwidthTerms = bandwidthDeck?.terms ?? {
    percentile: 95,
    directions: 'larger-percentile',
    missing: 'zero',
    commit: input.money('bandwidth-commit-mbit'),
    increment: input.money('bandwidth-increment-mbit'),
    price: input.money('bandwidth-monthly-per-mbit'),
    burst: input.money('bandwidth-burst-per-mbit'),
    rounding: 'half-up',
    decimals: 2,
  }
  const bandwidth = rateBandwidth(samples, Math.ceil(length / WINDOW_MS), terms)

  const way = (name: string, amount: Money, explanation: string) => ({
    name,
    monthly: formatMoney(roundTo(amount, 2, 'half-up'), 2),
    explanation,
  })
  return {
    currency: perMinuteDeck?.deck.currency ?? bandwidthDeck?.currency ?? 'USD',
    ways: [
      way(
        'pri-per-site',
        pri,
        `${pris} PRI of ${priChannels} channels and ${sites.length} gateways at ${sites.length} sites, and minutes`,
      ),
      way('sip-per-minute', sip.amount, sip.explanation),
      way(
        'channel-packs',
        mulInteger(input.money('pack-monthly'), packs),
        `${packs} packs of ${packChannels} channels for ${pooled} channels of all sites together`,
      ),
      way(
        'bandwidth-p95',
        bandwidth.amount,
        bandwidthDeck === undefined ? bandwidth.explanation : `deck ${bandwidthDeck.name}: ${bandwidth.explanation}`,
      ),
    ],
    inputs: {
      ...input.shown(),
      'period-days': formatMoney(divideRounded(BigInt(length) * ONE, BigInt(DAY_MS), 'half-up')),
      calls: String(calls.length),
      'billed-minutes': String(billedMinutes),
      sites: String(sites.length),
      'channels-pooled': String(pooled),
      'channels-separate': String(separate),
      'pooling-gain-channels': String(separate - pooled),
    },
  }
}

function sipPerMinute(
  calls: readonly SavingsCall[],
  tariff: PerMinuteTariff | undefined,
  rate: Money,
  minutesMonthly: (rate: Money) => Money,
  monthly: (amount: Money) => Money,
): { amount: Money; explanation: string } {
  if (tariff === undefined)
    return { amount: minutesMonthly(rate), explanation: `${formatMoney(rate)} per started minute` }
  let total = 0n
  let unknown = 0
  for (const call of calls) {
    const rated = rateCall(
      { number: call.number, startedAt: call.start, durationMs: call.durationMs },
      tariff.deck,
      tariff.terms,
    )
    if (rated.kind === 'rated') total += rated.amount
    else {
      unknown += 1
      const minutes = Math.ceil(call.durationMs / 60_000)
      total += mulInteger(rate, minutes)
    }
  }
  const rest = unknown === 0 ? '' : `; ${unknown} calls without a prefix at ${formatMoney(rate)} per started minute`
  return { amount: monthly(total), explanation: `deck ${tariff.deck.name}@${tariff.deck.version}, call by call${rest}` }
}

type InputName = keyof typeof ASSUMED

function readInputs(given: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(ASSUMED, name)) {
      throw new RangeError(`there is no input ${name}; there are ${Object.keys(ASSUMED).join(', ')}`)
    }
    const reading = readMoney(value)
    if (reading.kind === 'invalid') throw new RangeError(`input ${name}: ${reading.reason}`)
    if (reading.money < 0n) throw new RangeError(`input ${name} is negative`)
  }
  const text = (name: InputName) => given[name] ?? ASSUMED[name]
  return {
    money: (name: InputName) => parseMoney(text(name)),
    count: (name: InputName) => {
      const count = Number(text(name))
      if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`input ${name} must be a whole number from 1`)
      return count
    },
    shown: () => Object.fromEntries((Object.keys(ASSUMED) as InputName[]).map((name) => [name, text(name)])),
  }
}
