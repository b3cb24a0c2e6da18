import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decimal } from 'decimal.js'
import fc from 'fast-check'
import {
  add,
  divideRounded,
  formatMoney,
  mulDecimal,
  mulInteger,
  mulRatio,
  ONE,
  parseMoney,
  ROUNDING_MODES,
  type RoundingMode,
  readMoney,
  roundFraction,
  roundTo,
  sub,
  sum,
} from '../src/money.ts'

const ORACLE_MODE: Record<RoundingMode, Decimal.Rounding> = {
  up: Decimal.ROUND_UP,
  down: Decimal.ROUND_DOWN,
  'half-up': Decimal.ROUND_HALF_UP,
  'half-even': Decimal.ROUND_HALF_EVEN,
}
Decimal.set({ precision: 60, toExpNeg: -40, toExpPos: 60 })

/** xorshift32: a fixed seed makes a difference reproducible. */
function generator(seed: number): () => number {
  let x = seed
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}

test('what is read is written back in its shortest form', () => {
  for (const [text, written] of [
    ['0', '0'],
    ['-0', '0'],
    ['12', '12'],
    ['+12.50', '12.5'],
    ['-0.0175', '-0.0175'],
    ['3.', '3'],
    ['0.0000000001', '0.0000000001'],
    ['123456789012345678901234.1', '123456789012345678901234.1'],
    ['1.50000000000000', '1.5'],
  ] as const) {
    assert.equal(formatMoney(parseMoney(text)), written)
  }
  assert.equal(formatMoney(parseMoney('12.5'), 2), '12.50')
  assert.equal(formatMoney(parseMoney('12'), 2), '12.00')
  assert.equal(formatMoney(parseMoney('-12.125'), 2), '-12.125')
})

test('what is no decimal, or is finer than 1e-10, is refused and never rounded in silence', () => {
  for (const text of ['', ' ', '.5', '1e3', '1,000', '$1', 'NaN', '1.2.3', '0.00000000001', '٣', '1 ']) {
    assert.equal(readMoney(text).kind, 'invalid', text)
    assert.throws(() => parseMoney(text), RangeError)
  }
})

test('the four modes go where their names say, on both sides of zero', () => {
  const rounded = (text: string, mode: RoundingMode) => formatMoney(roundTo(parseMoney(text), 2, mode))
  assert.deepEqual(
    ROUNDING_MODES.map((mode) => rounded('0.125', mode)),
    ['0.13', '0.12', '0.13', '0.12'],
  )
  assert.deepEqual(
    ROUNDING_MODES.map((mode) => rounded('-0.125', mode)),
    ['-0.13', '-0.12', '-0.13', '-0.12'],
  )
  assert.deepEqual(
    ROUNDING_MODES.map((mode) => rounded('0.135', mode)),
    ['0.14', '0.13', '0.14', '0.14'],
  )
  assert.deepEqual(
    ROUNDING_MODES.map((mode) => rounded('0.121', mode)),
    ['0.13', '0.12', '0.12', '0.12'],
  )
  assert.throws(() => roundTo(ONE, 11, 'up'), RangeError)
  assert.throws(() => roundTo(ONE, 1.5, 'up'), RangeError)
  assert.throws(() => divideRounded(1n, 0n, 'up'), RangeError)
  assert.throws(() => mulInteger(ONE, 0.5), RangeError)
})

test('a price per minute over seconds is rounded once, not per step', () => {
  // 0.01/min for 20 s three times: each rounded to 4 decimals loses; the fraction of the sum does not.
  assert.equal(formatMoney(roundFraction(parseMoney('0.01') * 60n, 60n, 4, 'half-up')), '0.01')
  assert.equal(formatMoney(mulRatio(parseMoney('0.01'), 20n, 60n, 'half-up')), '0.0033333333')
})

test('1,000,000 random sums, products and roundings differ from decimal.js in none', () => {
  const next = generator(20_261_123)
  const perKind = 250_000
  const decimalText = (): string => {
    const digits = next() % 11
    const whole = next() % 100_000
    const fraction = digits === 0 ? '' : `.${(next() % 10 ** Math.min(digits, 9)).toString().padStart(digits, '0')}`
    return `${next() & 1 ? '-' : ''}${whole}${fraction}`
  }
  let differences = 0
  let last = ''
  const compare = (ours: bigint, oracle: Decimal, what: string) => {
    if (formatMoney(ours) !== (oracle.isZero() ? '0' : oracle.toString())) {
      differences += 1
      last = `${what}: ours ${formatMoney(ours)}, decimal.js ${oracle}`
    }
  }
  for (let i = 0; i < perKind; i += 1) {
    const mode = ROUNDING_MODES[next() & 3] as RoundingMode
    const a = decimalText()
    const b = decimalText()
    const A = new Decimal(a)
    const B = new Decimal(b)
    const ours = parseMoney(a)
    const other = parseMoney(b)
    const decimals = next() % 11
    compare(i & 1 ? add(ours, other) : sub(ours, other), i & 1 ? A.plus(B) : A.minus(B), `${a} ± ${b}`)
    compare(mulDecimal(ours, other, mode), A.times(B).toDecimalPlaces(10, ORACLE_MODE[mode]), `${a} × ${b} ${mode}`)
    compare(
      roundTo(ours, decimals, mode),
      A.toDecimalPlaces(decimals, ORACLE_MODE[mode]),
      `${a} to ${decimals} ${mode}`,
    )
    const milliseconds = next() % 4_000_000
    compare(
      roundFraction(ours * BigInt(milliseconds), 60_000n, decimals, mode),
      A.times(milliseconds).div(60_000).toDecimalPlaces(decimals, ORACLE_MODE[mode]),
      `${a} × ${milliseconds} ms to ${decimals} ${mode}`,
    )
  }
  assert.equal(differences, 0, last)
})

test('any two amounts add up and take apart again; a sum does not depend on its order', () => {
  const amount = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
  fc.assert(fc.property(amount, amount, (a, b) => sub(add(a, b), b) === a))
  fc.assert(fc.property(fc.array(amount), (list) => sum(list) === sum(list.toReversed())))
  fc.assert(fc.property(amount, (a) => parseMoney(formatMoney(a)) === a))
})
