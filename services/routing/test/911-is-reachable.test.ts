/** routing.md R7: a configuration that makes 911 unreachable is refused; whatever is accepted lets everybody dial it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { acmeText, ask, from, tuesday } from './acme.ts'

type Change = readonly [string, string]
const check = (...changes: Change[]) => {
  const text = changes.reduce((all, [before, after]) => {
    assert.ok(all.includes(before), `the example has no ${before}`)
    return all.replaceAll(before, () => after)
  }, acmeText)
  return checkConfiguration({ files: [{ path: 'acme.yaml', text }] })
}

const refused: [string, Change[]][] = [
  ['911 is not among the numbers', [['numbers: ["911", "112"]', 'numbers: ["112"]']]],
  [
    '911 is a test number only',
    [
      ['numbers: ["911", "112"]', 'numbers: ["112"]'],
      ['test: ["933"]', 'test: ["911"]'],
    ],
  ],
  ['911 is both', [['test: ["933"]', 'test: ["933", "911"]']]],
  ['no trunk may carry it', [['    emergency: true\n', '']]],
  [
    'the trunk that is named may not',
    [['    emergency: true\n    cost: itsp-a', '    emergency: false\n    cost: itsp-a']],
  ],
  ['the trunk that is named is not there', [['  trunks: [itsp-a, itsp-b]\n', '  trunks: [itsp-c]\n']]],
  ['no trunk is named', [['  trunks: [itsp-a, itsp-b]\n', '  trunks: []\n']]],
  ['somebody has it as extension', [['extension: "1001"', 'extension: "911"']]],
  ['its trunk has no listener', [['    listener: carrier\n    emergency', '    listener: nowhere\n    emergency']]],
]
for (const [what, changes] of refused) {
  test(`R7: refused: ${what}`, () => {
    const checked = check(...changes)
    assert.equal(checked.kind, 'bad')
    const [problem] = checked.kind === 'bad' ? checked.problems : []
    assert.ok(problem !== undefined && problem.line > 0 && problem.instead !== '', JSON.stringify(problem))
  })
}

const accepted: [string, Change[]][] = [
  [
    'a rule takes 911 elsewhere',
    [
      [
        "match: '^(1\\d{3})$',   to: '+1425555$1', internal: true",
        "match: '^(\\d+)$', to: '+12065550100', internal: true",
      ],
    ],
  ],
  ['a rule takes everything', [["match: '^(\\d{7})$',    to: '+1425$1'", "match: '^.*$', to: '+12065550100'"]]],
  [
    'a policy holds no usage',
    [['executive: { usages: [local, national, international] }', 'executive: { usages: [] }']],
  ],
  ['a user is called 911', [['  carol:', '  "911":']]],
  [
    'trunks have limits, hours and allow-lists',
    [
      [
        '    emergency: true\n',
        "    emergency: true\n    limits: { calls: 1, callsPerSecond: 1 }\n    when: [{ days: [sun], from: '03:00', to: '03:01' }]\n    callerId: { allow: ['^x$'], otherwise: reject }\n",
      ],
    ],
  ],
  ['a translation takes every digit away', [["match: '^\\+(.*)$', to: '$1'", "match: '^(.*)$', to: '0'"]]],
  [
    'callers are suppressed',
    [
      ['executive: {', 'executive: { callerId: suppress,'],
      ['staff:     {', 'staff: { callerId: suppress,'],
    ],
  ],
  ['the outside line is 9 and 91', [['externalPrefix: "9"', 'externalPrefix: "91"']]],
]
for (const [what, changes] of accepted) {
  test(`R7: reachable for everybody, though ${what}`, () => {
    const checked = check(...changes)
    assert.ok(checked.kind === 'ok', JSON.stringify(checked.kind === 'bad' && checked.problems))
    const table = compileTable(checked.configuration, { revision: 1 })
    const prefix = checked.configuration.dialPlans['us-hq']?.externalPrefix
    const callers = [...table.users.keys()].map((user) => ({ kind: 'user' as const, user }))
    for (const source of [...callers, from.stranger]) {
      for (const dialled of ['911', '+911', `${prefix}911`, '112']) {
        for (const maxForwards of [70, 0]) {
          const decision = decideRoute(ask(source, dialled, { maxForwards, privacy: true }), table, tuesday)
          assert.ok(decision.kind === 'route' && decision.emergency, `${JSON.stringify(source)} ${dialled}`)
          const trunks = decision.branches[0]?.attempts.filter((a) => a.kind === 'trunk') ?? []
          assert.equal(trunks[0]?.kind === 'trunk' && trunks[0].called, dialled === '112' ? '112' : '911')
        }
      }
    }
  })
}
