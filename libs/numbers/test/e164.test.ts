import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { callingCode, isE164, toE164 } from '../src/e164.ts'

const written: [string, string, string | undefined][] = [
  ['+14255551001', 'US', '+14255551001'],
  ['+1 (425) 555-1001', 'US', '+14255551001'],
  ['4255551001', 'US', '+14255551001'],
  ['425.555.1001', 'US', '+14255551001'],
  ['14255551001', 'US', '+14255551001'],
  ['01114255551001', 'US', '+14255551001'],
  ['0014255551001', 'US', '+14255551001'],
  ['+14255551001;npdi', 'US', '+14255551001'],
  ['442079460000', 'US', '+442079460000'],
  ['00442079460000', 'US', '+442079460000'],
  ['020 7946 0000', 'GB', '+442079460000'],
  ['442079460000', 'GB', '+442079460000'],
  ['00442079460000', 'GB', '+442079460000'],
  ['14255551001', 'XX', '+14255551001'],
  ['911', 'US', undefined],
  ['112', 'GB', undefined],
  ['1001', 'US', undefined],
  ['5550100', 'US', undefined],
  ['alice', 'US', undefined],
  ['+0123456', 'US', undefined],
  ['', 'US', undefined],
]
for (const [text, country, expected] of written) {
  test(`"${text}" in ${country} is ${expected ?? 'no full number'}`, () => {
    assert.equal(toE164(text, { country }), expected)
  })
}

test('E.164 is a plus and 3 to 15 digits that do not begin with 0', () => {
  for (const good of ['+14255551001', '+123', '+123456789012345']) assert.ok(isE164(good), good)
  for (const bad of ['14255551001', '+', '+12', '+0123', '+1234567890123456', '+1425555a', '+1 425']) {
    assert.ok(!isE164(bad), bad)
  }
})

test('any text has an answer that is E.164 or none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+0-9 ()-]{0,30}$/)), fc.string(), (text, country) => {
      const number = toE164(text, { country })
      assert.ok(number === undefined || isE164(number))
    }),
  )
})

test('countries are known by their calling code', () => {
  assert.equal(callingCode('US'), '1')
  assert.equal(callingCode('GB'), '44')
  assert.equal(callingCode('ZZ'), '')
})
