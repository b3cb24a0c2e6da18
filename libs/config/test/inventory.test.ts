import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration, type Problem } from '../src/check.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

function problems(numbers: string, ...changes: (readonly [string, string])[]): string[] {
  let text = `${acme}\nnumbers:\n${numbers}\n`
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), from)
    text = text.replace(from, () => to)
  }
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  const all: Problem[] = [...(checked.kind === 'bad' ? checked.problems : []), ...checked.warnings]
  return all.map(({ message }) => message)
}

test('ranges and single numbers with their user, failover target and reservation are right', () => {
  const numbers = `
  - { range: "+14255551000-+14255551899", failover: "+18005550100", policy: staff }
  - { number: "+14255551700", user: alice }
  - { number: "+14255551701", reserved: true, note: new office }
  - { number: "+14255551002", failover: "+12065550188" }
  - { number: "+14255551702", failover: bob }`
  assert.deepEqual(problems(numbers), [])
})
const cases: [name: string, numbers: string, message: RegExp][] = [
  ['an entry is one number or a range', '  - { note: none }', /either one number or a range/],
  ['a range ends after it begins', '  - { range: "+14255551899-+14255551000" }', /before the first/],
  [
    'two ranges have no number in common',
    '  - { range: "+14255551000-+14255551099" }\n  - { range: "+14255551050-+14255551199" }',
    /numbers in common/,
  ],
  ['a number is there once', '  - { number: "+14255551700" }\n  - { number: "+14255551700" }', /twice/],
  ['a number has one user', '  - { number: "+14255551001", user: bob }', /is the DID of alice/],
  ['a range has no user', '  - { range: "+14255551000-+14255551999", user: bob }', /many numbers/],
  ['nobody has a reserved number', '  - { number: "+14255551001", reserved: true }', /reserved, but alice has it/],
  ['a user who is named exists', '  - { number: "+14255551700", user: alize }', /no user alize/],
  ['a failover number needs a policy', '  - { number: "+14255551700", failover: "+18005550100" }', /by which usages/],
  ['a failover target is a user or a number', '  - { number: "+14255551700", failover: bobb }', /no user bobb/],
  ['a DID lies in the ranges', '  - { range: "+14255551002-+14255551099" }', /\+14255551001 is in none of numbers/],
]
for (const [name, numbers, message] of cases) {
  test(name, () => assert.match(problems(numbers).join('\n'), message))
}
test('a carrier that is shown another number needs one', () => {
  const trunk = [
    'emergency: true\n    cost: itsp-a',
    "emergency: true\n    callerId: { allow: ['^x$'] }\n    cost: itsp-a",
  ] as const
  assert.match(problems('  - { number: "+14255551700" }', trunk).join(), /which number is shown instead/)
})
test('a user whom emergency services could not call back is warned of', () => {
  const carol = [
    'users:\n',
    'users:\n  carol: { extension: "1003", site: branch, policy: staff, password: { env: CAROL } }\n',
  ] as const
  assert.match(problems('  - { number: "+14255551700" }', carol).join(), /could not call carol back/)
  const site = ['location: branch-floor }', 'location: branch-floor, emergencyCallback: "+12125550800" }'] as const
  assert.deepEqual(problems('  - { number: "+14255551700" }', carol, site), [])
})
