/**
 * Exact decimal money: a BigInt that counts 1e-10 of the currency unit. Nothing here touches a float.
 * The same fixed point serves any exact decimal (Mbit/s, a percentage).
 */
export type Money = bigint

/** How a value that lies between two steps is brought onto one. `up` is away from zero, `down` towards zero. */
export type RoundingMode = 'up' | 'down' | 'half-up' | 'half-even'

export const ROUNDING_MODES: readonly RoundingMode[] = ['up', 'down', 'half-up', 'half-even']

/** Digits after the decimal point that a Money holds. */
export const MONEY_DECIMALS = 10
/** One unit of the currency. */
export const ONE: Money = 10_000_000_000n

const POWERS_OF_TEN: readonly bigint[] = Array.from({ length: MONEY_DECIMALS + 1 }, (_, n) => 10n ** BigInt(n))
const DECIMAL = /^([+-]?)(\d{1,30})(?:\.(\d{0,40}))?$/

export type MoneyReading = { kind: 'money'; money: Money } | { kind: 'invalid'; reason: string }

/**
 * Reads `12`, `-0.0175`, `+3.`; no exponent, no grouping, no currency sign.
 * A value finer than 1e-10 is refused, never rounded in silence.
 */
export function readMoney(text: string): MoneyReading {
  const parts = DECIMAL.exec(text)
  if (parts === null) return { kind: 'invalid', reason: `"${text.slice(0, 40)}" is not a decimal number` }
  const fraction = (parts[3] ?? '').replace(/0+$/, '')
  if (fraction.length > MONEY_DECIMALS) {
    return { kind: 'invalid', reason: `"${text.slice(0, 60)}" is finer than ${MONEY_DECIMALS} decimals` }
  }
  const units = BigInt((parts[2] as string) + fraction.padEnd(MONEY_DECIMALS, '0'))
  return { kind: 'money', money: parts[1] === '-' ? -units : units }
}

/** Reads a decimal; throws RangeError where `readMoney` says invalid. For values that were checked before. */
export function parseMoney(text: string): Money {
  const reading = readMoney(text)
  if (reading.kind === 'invalid') throw new RangeError(reading.reason)
  return reading.money
}

/** Writes the shortest exact decimal with at least `minDecimals` digits after the point: `0.0175`, `12.50`. */
export function formatMoney(money: Money, minDecimals = 0): string {
  const negative = money < 0n
  const digits = (negative ? -money : money).toString().padStart(MONEY_DECIMALS + 1, '0')
  const point = digits.length - MONEY_DECIMALS
  let end = digits.length
  while (end > point + minDecimals && digits.charCodeAt(end - 1) === 48) end -= 1
  const sign = negative ? '-' : ''
  return end === point ? sign + digits.slice(0, point) : `${sign}${digits.slice(0, point)}.${digits.slice(point, end)}`
}

export function add(a: Money, b: Money): Money {
  return a + b
}

export function sub(a: Money, b: Money): Money {
  return a - b
}

export function sum(amounts: Iterable<Money>): Money {
  let total = 0n
  for (const amount of amounts) total += amount
  return total
}

/** Exact: money times a whole number. A number that is not a safe integer throws RangeError. */
export function mulInteger(money: Money, factor: number | bigint): Money {
  if (typeof factor === 'number' && !Number.isSafeInteger(factor)) throw new RangeError(`${factor} is no safe integer`)
  return money * BigInt(factor)
}

/** Money times an exact decimal (itself 1e-10 fixed point); the product is brought back to 1e-10 by `mode`. */
export function mulDecimal(money: Money, factor: Money, mode: RoundingMode): Money {
  return divideRounded(money * factor, ONE, mode)
}

/** money × numerator ÷ denominator, rounded once. */
export function mulRatio(money: Money, numerator: bigint, denominator: bigint, mode: RoundingMode): Money {
  return divideRounded(money * numerator, denominator, mode)
}

/** Rounds to 0..10 decimals. */
export function roundTo(money: Money, decimals: number, mode: RoundingMode): Money {
  const step = stepOf(decimals)
  return step === 1n ? money : divideRounded(money, step, mode) * step
}

/** numerator ÷ denominator as Money of 0..10 decimals, rounded exactly once (B6: once per call). */
export function roundFraction(numerator: bigint, denominator: bigint, decimals: number, mode: RoundingMode): Money {
  const step = stepOf(decimals)
  return divideRounded(numerator, denominator * step, mode) * step
}

/** Integer division with the rounding of `mode`; ties of half-up go away from zero. Throws RangeError on division by 0. */
export function divideRounded(numerator: bigint, denominator: bigint, mode: RoundingMode): bigint {
  if (denominator < 0n) return divideRounded(-numerator, -denominator, mode)
  const quotient = numerator / denominator
  const remainder = numerator - quotient * denominator
  if (remainder === 0n || mode === 'down') return quotient
  const negative = remainder < 0n
  if (mode !== 'up') {
    const twice = (negative ? -remainder : remainder) * 2n
    if (twice < denominator) return quotient
    if (twice === denominator && mode === 'half-even' && (quotient & 1n) === 0n) return quotient
  }
  return negative ? quotient - 1n : quotient + 1n
}

function stepOf(decimals: number): bigint {
  const step = POWERS_OF_TEN[MONEY_DECIMALS - decimals]
  if (step === undefined)
    throw new RangeError(`decimals must be a whole number from 0 to ${MONEY_DECIMALS}, got ${decimals}`)
  return step
}
