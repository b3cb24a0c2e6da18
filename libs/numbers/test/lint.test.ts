import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WrittenDialRule } from '../src/dial-plan.ts'
import { lintDialPlan, lintRoute, lintTranslations } from '../src/lint.ts'

const lint = (rules: WrittenDialRule[], externalPrefix = '9') =>
  lintDialPlan({ name: 'plan', externalPrefix, rules }, { country: 'US' })
const codes = (rules: WrittenDialRule[]) => lint(rules).map(({ rule, code }) => `${rule}: ${code}`)

test('the dial plans of acme have nothing to mend', () => {
  assert.deepEqual(
    lint([
      { name: 'extension', match: '^(1\\d{3})$', to: '+1425555$1', internal: true },
      { name: 'seven-digit', match: '^(\\d{7})$', to: '+1425$1' },
      { name: 'ten-digit', match: '^(\\d{10})$', to: '+1$1' },
      { name: 'long-distance', match: '^(1\\d{10})$', to: '+$1' },
      { name: 'international', match: '^011(\\d+)$', to: '+$1' },
    ]),
    [],
  )
})

test("Microsoft's own LDCallingUS drops the country code, and is warned of", () => {
  const [finding, ...others] = lint([{ name: 'LDCallingUS', match: '^1(\\d{10})$', to: '+$1' }])
  assert.equal(finding?.code, 'not-e164')
  assert.match(finding?.message ?? '', /: 12015550123 becomes \+2015550123, not \+12015550123$/)
  assert.deepEqual(others, [])
})

test('a result without a plus is warned of, unless the rule is internal', () => {
  assert.deepEqual(codes([{ name: 'a', match: '^(\\d{4})$', to: '$1' }]), ['a: not-e164'])
  assert.deepEqual(codes([{ name: 'a', match: '^(\\d{4})$', to: '$1', internal: true }]), [])
})

test('a rule that never gets a number is warned of, also when only several together hide it', () => {
  assert.deepEqual(
    codes([
      { name: 'redmond', match: '^(\\d{7})$', to: '+1425$1' },
      { name: 'dallas', match: '^(\\d{7})$', to: '+1972$1' },
      { name: 'low', match: '^[0-4](\\d{9})$', to: '+1425$1' },
      { name: 'high', match: '^[5-9](\\d{9})$', to: '+1425$1' },
      { name: 'both', match: '^(\\d{10})$', to: '+1$1' },
    ]).filter((code) => code.endsWith('shadowed')),
    ['dallas: shadowed', 'both: shadowed'],
  )
})

test('an internal rule does not hide one that is walked after the prefix', () => {
  assert.deepEqual(
    codes([
      { name: 'in', match: '^(\\d{10})$', to: '+1$1', internal: true },
      { name: 'out', match: '^(\\d{10})$', to: '+1$1' },
    ]),
    [],
  )
})

test('an unanchored pattern is warned of with what to write', () => {
  const [finding] = lint([{ name: 'a', match: '(\\d{10})', to: '+1$1' }])
  assert.equal(finding?.code, 'unanchored')
  assert.equal(finding?.hint, "write '^(\\d{10})$'")
  assert.equal(lintRoute({ name: 'r', match: '\\+1' })[0]?.code, 'unanchored')
  assert.deepEqual(lintRoute({ name: 'r', match: '^\\+1', except: ['^\\+1900'] }), [])
})

test('an escaped dollar sign is no anchor', () => {
  assert.equal(lint([{ name: 'a', match: '^(\\d{10})\\$', to: '+1$1' }])[0]?.code, 'unanchored')
})

test('what the engine lacks and groups that do not exist are errors', () => {
  const findings = lint([
    { name: 'ahead', match: '^(?!911)(\\d{10})$', to: '+1$1' },
    { name: 'group', match: '^1\\d{10}$', to: '+$1' },
  ])
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error').map(({ rule, code }) => [rule, code]),
    [
      ['ahead', 'unsupported'],
      ['group', 'no-such-group'],
    ],
  )
  assert.equal(lintRoute({ name: 'r', match: '^(?!1)' })[0]?.severity, 'error')
})

test('an external prefix is at most four of #, * and digits', () => {
  assert.equal(lint([], '99999')[0]?.code, 'prefix')
  assert.equal(lint([], '*9').length, 0)
})

test('translations are checked for hidden rules and missing groups', () => {
  assert.deepEqual(
    lintTranslations([
      { match: '^\\+(.*)$', to: '$1' },
      { match: '^\\+1(\\d{10})$', to: '$2' },
    ]).map(({ code }) => code),
    ['no-such-group', 'shadowed'],
  )
})
