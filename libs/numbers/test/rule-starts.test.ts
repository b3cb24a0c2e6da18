import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileDialPlan, normalise } from '../src/dial-plan.ts'
import { startOf } from '../src/rule-starts.ts'

test('the character with which a match begins is told only where there is one', () => {
  for (const [source, start] of [
    ['^(1\\d{3})$', '1'],
    ['^9(\\d+)$', '9'],
    ['^\\+44(\\d+)$', '+'],
    ['^\\*(\\d+)$', '*'],
    ['^(\\d{10})$', undefined],
    ['1\\d{3}', undefined],
    ['^(1)?\\d+$', undefined],
    ['^1?\\d+$', undefined],
    ['^1*2', undefined],
    ['^1{0,2}2', undefined],
    ['^1|2$', undefined],
    ['^(1|2)$', undefined],
    ['^[12]$', undefined],
    ['^(?:1)$', undefined],
    ['', undefined],
  ] as const)
    assert.equal(startOf(source), start, source)
})

test('rules that are not tried would not have matched: the same number comes out as when every rule is tried', () => {
  const source = fc.constantFrom(
    ...[
      '^(1\\d{3})$',
      '^9(\\d+)$',
      '^\\+44(\\d+)$',
      '^(\\d{4})$',
      '1(\\d{3})',
      '^1?(\\d{5})$',
      '^(1|2)(\\d+)$',
      '^0+(\\d+)$',
    ],
    ...['^#(\\d+)$', '^\\*(\\d*)$', '^(4)?(\\d{3})$', '^2{1,2}(\\d+)$', '^3', '5$'],
  )
  const plan = fc.record({
    name: fc.constant('p'),
    externalPrefix: fc.constantFrom('', '9', '0'),
    rules: fc.array(fc.record({ match: source, to: fc.constantFrom('+1$1', '$1', 'x'), internal: fc.boolean() }), {
      maxLength: 12,
    }),
  })
  const digits = fc.stringMatching(/^[+#*0-9]{0,8}$/)
  fc.assert(
    fc.property(plan, digits, (written, dialled) => {
      const rules = written.rules.map((rule, i) => ({ ...rule, name: `r${i}` }))
      const compiled = compileDialPlan({ ...written, rules })
      assert.deepEqual(
        normalise(compiled, dialled),
        normalise(compiled, dialled, () => {}),
      )
    }),
    { numRuns: 2000 },
  )
})
