import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildRule, compileDialPlan, normalise, type Pass, readDialled, readEmergency } from '../src/dial-plan.ts'
import { applyRule, compileRules, translate } from '../src/translate.ts'

const plan = compileDialPlan({
  name: 'us-hq',
  externalPrefix: '9',
  rules: [
    { name: 'seven-digit', match: '^(\\d{7})$', to: '+1425$1' },
    { name: 'extension', match: '^(1\\d{3})$', to: '+1425555$1', internal: true },
    { name: 'ten-digit', match: '^(\\d{10})$', to: '+1$1' },
    { name: 'long-distance', match: '^(1\\d{10})$', to: '+$1' },
    { name: 'international', match: '^011(\\d+)$', to: '+$1' },
    { name: 'again', match: '^(\\d{7})$', to: '+1206$1' },
  ],
})
const number = (digits: string) => normalise(plan, digits).number

test('the first rule that matches wins', () => assert.equal(number('5550100'), '+14255550100'))
test('no match leaves the number alone', () => {
  assert.deepEqual(normalise(plan, '99'), { kind: 'unmatched', number: '99' })
  assert.deepEqual(normalise(plan, 'alice'), { kind: 'unmatched', number: 'alice' })
  assert.deepEqual(normalise(plan, '+14255550100'), { kind: 'unmatched', number: '+14255550100' })
})
test('the outside-line prefix is taken off before the other rules', () => {
  assert.deepEqual(normalise(plan, '912065550100'), {
    kind: 'matched',
    number: '+12065550100',
    rule: 'long-distance',
    pass: 'outside',
  })
  assert.equal(number('9011442079460000'), '+442079460000')
})
test('without the prefix the other rules run on the digits as dialled', () => {
  assert.equal(number('12065550100'), '+12065550100')
})
test('with the prefix but no rule for the rest, the digits as dialled are tried', () => {
  assert.deepEqual(normalise(plan, '9255550'), {
    kind: 'matched',
    number: '+14259255550',
    rule: 'seven-digit',
    pass: 'plain',
  })
})
test('internal rules see the digits as dialled, before the prefix is looked at', () => {
  const nines = compileDialPlan({
    name: 'nines',
    externalPrefix: '9',
    rules: [
      { name: 'outside', match: '^(\\d{3})$', to: '+1425555$10' },
      { name: 'inside', match: '^(9\\d{3})$', to: '+1425555$1', internal: true },
    ],
  })
  assert.deepEqual(normalise(nines, '9123'), {
    kind: 'matched',
    number: '+14255559123',
    rule: 'inside',
    pass: 'internal',
  })
})
test('every rule tried is told, pass by pass, up to the first match', () => {
  const heard: [Pass, string, string, boolean][] = []
  normalise(plan, '912065550100', (pass, rule, digits, result) =>
    heard.push([pass, rule.name, digits, result !== undefined]),
  )
  assert.deepEqual(heard, [
    ['internal', 'extension', '912065550100', false],
    ['outside', 'seven-digit', '12065550100', false],
    ['outside', 'ten-digit', '12065550100', false],
    ['outside', 'long-distance', '12065550100', true],
  ])
})

test('emergency numbers are known alone, after the prefix and with a plus', () => {
  const numbers = new Set(['911', '112'])
  for (const digits of ['911', '9911', '+911', '112', '9112']) assert.ok(readEmergency(digits, numbers, ['9']), digits)
  for (const digits of ['9', '99911', '9111', '8911', ''])
    assert.equal(readEmergency(digits, numbers, ['9']), undefined)
  assert.equal(readEmergency('9911', numbers, ['']), undefined)
})

test('separators go from dial strings and stay in names', () => {
  assert.equal(readDialled('+1 (425) 555-0100'), '+14255550100')
  assert.equal(readDialled('9-1-1'), '911')
  assert.equal(readDialled('alice.smith'), 'alice.smith')
})

test('a filled-in form becomes the expression that Lync makes of it', () => {
  const strip = { startingDigits: '+1', length: { kind: 'exactly', digits: 12 }, remove: 1, add: '' } as const
  assert.deepEqual(buildRule(strip), { kind: 'rule', match: '^\\+(1\\d{10})$', to: '$1' })
  const abroad = { startingDigits: '+', length: { kind: 'atLeast', digits: 11 }, remove: 1, add: '011' } as const
  assert.deepEqual(buildRule(abroad), { kind: 'rule', match: '^\\+(\\d{9}\\d+)$', to: '011$1' })
  const any = { startingDigits: '8', length: { kind: 'any' }, remove: 1, add: '+1' } as const
  assert.deepEqual(buildRule(any), { kind: 'rule', match: '^8(\\d*)$', to: '+1$1' })
  assert.equal(buildRule({ ...any, startingDigits: '(' }).kind, 'impossible')
  assert.equal(buildRule({ ...strip, length: { kind: 'exactly', digits: 1 } }).kind, 'impossible')
})

test('the expression of a form does what the form says', () => {
  const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^[0-9*#]{0,${maxLength}}$`))
  const form = fc.record({
    startingDigits: fc.tuple(fc.constantFrom('', '+'), digits(4)).map((parts) => parts.join('')),
    length: fc.oneof(
      fc.record({ kind: fc.constantFrom('exactly' as const, 'atLeast' as const), digits: fc.nat(14) }),
      fc.constant({ kind: 'any' as const }),
    ),
    remove: fc.nat(8),
    add: digits(4),
  })
  fc.assert(
    fc.property(form, fc.stringMatching(/^\d{0,14}$/), (asked, rest) => {
      const built = buildRule(asked)
      if (built.kind === 'impossible') return
      const text = asked.startingDigits + rest
      const long =
        asked.length.kind === 'any' ||
        (asked.length.kind === 'exactly' ? text.length === asked.length.digits : text.length >= asked.length.digits)
      const [rule] = compileRules([built])
      assert.ok(rule)
      if (text.length < asked.remove) return
      assert.equal(
        applyRule(rule, text),
        long ? asked.add + text.slice(asked.remove) : undefined,
        JSON.stringify(built),
      )
    }),
    { numRuns: 1000 },
  )
})

test('trunk translation: first match wins, no match leaves the number', () => {
  const rules = compileRules([
    { match: '^\\+1(\\d{10})$', to: '$1' },
    { match: '^\\+(.*)$', to: '011$1' },
  ])
  assert.equal(translate(rules, '+12065550100').number, '2065550100')
  assert.equal(translate(rules, '+442079460000').number, '011442079460000')
  assert.deepEqual(translate(rules, '911'), { number: '911', rule: undefined })
})
