import {
  divideRounded,
  formatMoney,
  type Money,
  mulDecimal,
  ONE,
  type RoundingMode,
  roundTo,
} from '@tandem/money/money.ts'

/** Length of a bandwidth sample. Windows start at multiples of it since the epoch. */
export const WINDOW_MS = 300_000

/** Ethernet header (14) and frame check sequence (4), per packet. */
export const ETHERNET_BYTES = 18
const IP_UDP_RTP_BYTES = 40

/** Bit/s of one direction on Ethernet: (payload + 40 + 18) × 8 × packets/s. G.711 at 20 ms: 87,200. */
export function wireRate(payloadBytes: number, packetsPerSecond = 50): number {
  return (payloadBytes + IP_UDP_RTP_BYTES + ETHERNET_BYTES) * 8 * packetsPerSecond
}

/** Bytes on Ethernet of packets whose `bytes` were counted with their IP header. */
export function wireBytes(packets: number, bytes: number): number {
  return bytes + packets * ETHERNET_BYTES
}

export interface WindowShare {
  /** Epoch ms of the window's start. */
  window: number
  bytesIn: number
  bytesOut: number
}

/**
 * Spreads the bytes of a leg evenly over its time [start, end) and so over the windows that it touches.
 * The shares of a direction add up to its bytes, always.
 */
export function spreadOverWindows(start: number, end: number, bytesIn: number, bytesOut: number): WindowShare[] {
  const first = Math.floor(start / WINDOW_MS) * WINDOW_MS
  const length = end - start
  if (length <= 0 || end <= first + WINDOW_MS) return [{ window: first, bytesIn, bytesOut }]
  const shares: WindowShare[] = []
  let doneIn = 0
  let doneOut = 0
  for (let window = first; window < end; window += WINDOW_MS) {
    const elapsed = Math.min(window + WINDOW_MS, end) - start
    const untilIn = proportion(bytesIn, elapsed, length)
    const untilOut = proportion(bytesOut, elapsed, length)
    shares.push({ window, bytesIn: untilIn - doneIn, bytesOut: untilOut - doneOut })
    doneIn = untilIn
    doneOut = untilOut
  }
  return shares
}

function proportion(bytes: number, elapsed: number, length: number): number {
  return Number((BigInt(bytes) * BigInt(Math.round(elapsed))) / BigInt(Math.round(length)))
}

export interface BandwidthSample {
  bytesIn: number
  bytesOut: number
}

/** How the samples of a month become one figure. Every term is part of the product's name, so it is written down. */
export interface BandwidthTerms {
  /** 1..100; nearest rank: the value at position ceil(p/100 × n) of the ascending order. */
  percentile: number
  /** Percentile of each direction and then the larger, or percentile of each sample's larger direction. */
  directions: 'larger-percentile' | 'percentile-of-larger'
  /** A window without a sample counts as zero, or not at all. */
  missing: 'zero' | 'left-out'
  /** Mbit/s as exact decimals. */
  commit: Money
  increment: Money
  /** Per Mbit/s and calendar month, up to the commit and above it. */
  price: Money
  burst: Money
  rounding: RoundingMode
  decimals: number
}

export interface BandwidthCharge {
  amount: Money
  /** Mbit/s as exact decimals. */
  percentileIn: Money
  percentileOut: Money
  measured: Money
  billedAboveCommit: Money
  samples: number
  explanation: string
}

/** Prices a calendar month of samples. `windows` is how many 5-minute windows the period has. */
export function rateBandwidth(
  samples: readonly BandwidthSample[],
  windows: number,
  terms: BandwidthTerms,
): BandwidthCharge {
  const count = terms.missing === 'zero' ? Math.max(windows, samples.length) : samples.length
  const rank = Math.ceil((terms.percentile * count) / 100)
  const mbit = (bytes: number[]) => megabits(nearestRank(bytes, rank, count))
  const percentileIn = mbit(samples.map((s) => s.bytesIn))
  const percentileOut = mbit(samples.map((s) => s.bytesOut))
  const measured =
    terms.directions === 'larger-percentile'
      ? larger(percentileIn, percentileOut)
      : mbit(samples.map((s) => Math.max(s.bytesIn, s.bytesOut)))
  const above = measured > terms.commit ? measured - terms.commit : 0n
  const billedAboveCommit = terms.increment > 0n ? divideRounded(above, terms.increment, 'up') * terms.increment : above
  const exact = terms.commit * terms.price + billedAboveCommit * terms.burst
  const amount = roundTo(divideRounded(exact, ONE, terms.rounding), terms.decimals, terms.rounding)
  return {
    amount,
    percentileIn,
    percentileOut,
    measured,
    billedAboveCommit,
    samples: samples.length,
    explanation:
      `p${terms.percentile} nearest rank ${rank} of ${count} windows: in ${formatMoney(percentileIn)}, out ${formatMoney(percentileOut)} Mbit/s` +
      ` (${terms.directions}, missing ${terms.missing}); commit ${formatMoney(terms.commit)} × ${formatMoney(terms.price)}` +
      ` + ${formatMoney(billedAboveCommit)} × ${formatMoney(terms.burst)} above it`,
  }
}

/** The value at `rank` (from 1) of `count` values in ascending order, where values that are not given are 0. */
function nearestRank(given: number[], rank: number, count: number): number {
  const position = rank - 1 - (count - given.length)
  if (position < 0) return 0
  return given.sort((a, b) => a - b)[position] ?? 0
}

/** Nearest-rank percentile: the smallest value that at least p % of the values do not exceed. 0 for none. */
export function percentile(values: readonly number[], p: number): number {
  return nearestRank([...values], Math.ceil((p * values.length) / 100), values.length)
}

/** Mean Mbit/s of a window as an exact decimal. */
function megabits(bytes: number): Money {
  return divideRounded(BigInt(bytes) * 8n * ONE, BigInt(WINDOW_MS / 1000) * 1_000_000n, 'half-up')
}

/** kbit/s of the larger direction of a window, for display. */
export function meanKbits(sample: BandwidthSample, windowMs = WINDOW_MS): number {
  return (Math.max(sample.bytesIn, sample.bytesOut) * 8) / windowMs
}

export interface PriceTier {
  /** Mbit/s from which the price holds, exact decimals. */
  from: Money
  price: Money
}

/**
 * Progressive price: each part of the bandwidth at the price of its tier. What lies below the first tier and above
 * `prepaid` costs `start` (0: a commit that is paid elsewhere). Of two tiers with one threshold the dearer holds.
 */
export function progressiveCharge(
  used: Money,
  tiers: readonly PriceTier[],
  options: { prepaid: Money; start: Money; rounding: RoundingMode; decimals: number },
): Money {
  const sorted = tiers.toSorted((a, b) => compare(a.from, b.from) || compare(a.price, b.price))
  let total = 0n
  let price = options.start
  let from = options.prepaid
  for (const tier of sorted) {
    const until = tier.from < used ? tier.from : used
    if (until > from) {
      total += mulDecimal(until - from, price, options.rounding)
      from = until
    }
    price = tier.price
  }
  if (used > from) total += mulDecimal(used - from, price, options.rounding)
  return roundTo(total, options.decimals, options.rounding)
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function larger(a: Money, b: Money): Money {
  return a > b ? a : b
}
