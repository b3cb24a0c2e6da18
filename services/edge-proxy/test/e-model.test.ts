import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { mosOfR, opinionOf } from '../src/domain/e-model.ts'

/** Of floating point. */
const ROUNDING = 1e-9

const mos = (codec: string, lossPercent: number, delayMs?: number) =>
  Math.round((opinionOf({ codec, lossPercent, delayMs })?.mos ?? 0) * 100) / 100

describe('the simplified E-model (ITU-T G.107)', () => {
  test('G.107 annex B: R to MOS, as its own table has it', () => {
    const table = [
      [100, 4.5],
      [93.2, 4.41],
      [90, 4.34],
      [80, 4.03],
      [70, 3.6],
      [60, 3.1],
      [50, 2.58],
      [0, 1],
      [-10, 1],
    ] as const
    for (const [r, expected] of table) assert.ok(Math.abs(mosOfR(r) - expected) < 0.01, `R = ${r}: ${mosOfR(r)}`)
  })
  test('codec, loss and delay', () => {
    const table = [
      // R = 93.2
      ['PCMU', 0, undefined, 4.41],
      ['pcma', 0, 0, 4.41],
      // Ie,eff = 95 * 5 / 30.1 = 15.78: R = 77.42
      ['PCMU', 5, undefined, 3.92],
      // Id = 0.024 * 150 = 3.6: R = 89.6
      ['PCMU', 0, 150, 4.33],
      // Id = 0.024 * 400 + 0.11 * 222.7 = 34.1: R = 59.1
      ['PCMU', 0, 400, 3.05],
      // Ie = 11: R = 82.2
      ['G729', 0, undefined, 4.1],
      // Ie,eff = 11 + 84 * 2 / 21 = 19: R = 74.2
      ['G729', 2, undefined, 3.79],
      ['G723', 0, undefined, 3.95],
      ['GSM-EFR', 0, undefined, 4.29],
      ['PCMU', 100, undefined, 1.18],
    ] as const
    for (const [codec, loss, delay, expected] of table)
      assert.equal(mos(codec, loss, delay), expected, `${codec} ${loss} % ${delay} ms`)
  })
  test('it says whether delay is in it, and nothing of codecs that it does not know', () => {
    assert.equal(opinionOf({ codec: 'PCMU', lossPercent: 0, delayMs: 20 })?.model, 'g107-simplified-cq')
    assert.equal(opinionOf({ codec: 'PCMU', lossPercent: 0, delayMs: undefined })?.model, 'g107-simplified-lq')
    for (const codec of ['opus', 'G722', 'AMR-WB', 'iLBC', 'constructor'])
      assert.equal(opinionOf({ codec, lossPercent: 0, delayMs: 0 }), undefined)
  })
  test('from 1 to 4.5, and never better for more loss or more delay', () => {
    const codec = fc.constantFrom('PCMU', 'G729', 'G723', 'GSM-EFR')
    const percent = fc.double({ min: 0, max: 100, noNaN: true })
    const delay = fc.double({ min: 0, max: 60_000, noNaN: true })
    fc.assert(
      fc.property(codec, percent, percent, delay, delay, (c, l1, l2, d1, d2) => {
        const [less, more] = [Math.min(l1, l2), Math.max(l1, l2)]
        const [near, far] = [Math.min(d1, d2), Math.max(d1, d2)]
        const best = opinionOf({ codec: c, lossPercent: less, delayMs: near })?.mos as number
        const lossy = opinionOf({ codec: c, lossPercent: more, delayMs: near })?.mos as number
        const late = opinionOf({ codec: c, lossPercent: less, delayMs: far })?.mos as number
        for (const each of [best, lossy, late]) assert.ok(each >= 1 && each <= 4.5)
        assert.ok(lossy <= best + ROUNDING && late <= best + ROUNDING)
        assert.ok((opinionOf({ codec: c, lossPercent: less, delayMs: undefined })?.mos as number) >= best - ROUNDING)
      }),
      { numRuns: 1000 },
    )
  })
})
