/** What users of other products complain of, as tests (routing.md, "Complaints to design against"). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lintRoute } from '@tandem/numbers/lint.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { explainRoute } from '../src/domain/explain.ts'
import { ask, configurationWith, decide, from, plan, tableWith, tuesday, walk } from './acme.ts'

const outside = '912065550100'

test('livekit/sip#329, sbc-outbound#5, livekit/protocol#737: plus or no plus, the DID is found', () => {
  for (const written of ['+14255551002', '14255551002', '4255551002'])
    assert.deepEqual(walk(decide(from.itspA, written)), ['callee: bob'], written)
})

test('Routr: an unanchored route that stands first takes nothing from a usage before its own, and is warned of', () => {
  const table = tableWith([
    'routes:\n',
    "routes:\n  - { name: greedy, match: '206', usages: [international], trunks: [itsp-b] }\n",
  ])
  const decision = plan(decide(from.alice, outside, {}, table))
  assert.equal(decision.usage, 'local', 'the order of usages decides, not that of the file')
  assert.equal(
    decision.branches[0]?.attempts[0]?.kind === 'trunk' && decision.branches[0].attempts[0].route,
    'puget-sound',
  )
  assert.deepEqual(
    lintRoute({ name: 'greedy', match: '206' }).map(({ code, hint }) => [code, hint]),
    [['unanchored', "write '^206'"]],
  )
})

test('dsiprouter#618: strip and prefix hold on the second gateway too, from the number as it was', () => {
  const table = tableWith(
    ["match: '^\\+(.*)$', to: '$1'", "match: '^\\+1(.*)$', to: '0$1'"],
    [
      '    to: ["sip:127.0.0.1:5090"]',
      `    to: ["sip:127.0.0.1:5090"]\n    translate: { outbound: { called: [{ match: '^\\+1(.*)$', to: '9$1' }], calling: [{ match: '^\\+1(.*)$', to: '8$1' }] } }`,
    ],
  )
  const [branch] = plan(decide(from.alice, outside, {}, table)).branches
  assert.deepEqual(
    branch?.attempts.map((a) => (a.kind === 'trunk' ? [a.trunk, a.called, a.calling] : [])),
    [
      ['itsp-a', '02065550100', '+14255551001'],
      ['itsp-b', '92065550100', '84255551001'],
    ],
  )
})

const header = 'prefix,name,connect,perMinute,from,to'
const byCost = compileTable(
  configurationWith(
    ['usages: [local],         trunks: [itsp-a, itsp-b]', 'usages: [local], trunks: [itsp-a, itsp-b], select: cost'],
    ['cost: itsp-b-bandwidth', 'cost: itsp-b-minutes'],
    ['rateDecks:', 'rateDecks:\n  itsp-b-minutes: { kind: per-minute, currency: USD, file: b.csv }'],
  ),
  { revision: 1, decks: { 'rates/itsp-a.csv': `${header}\n44,UK,0,0.005,,`, 'b.csv': `${header}\n1,US,0,9,,` } },
)
test('jambonz-feature-server#1345: least cost is never bypassed in silence: a trunk without a price says so and comes last', () => {
  assert.deepEqual(walk(decideRoute(ask(from.bob, outside), byCost, tuesday)), [
    'callee: itsp-b +12065550100, itsp-a 12065550100',
  ])
  const { steps } = explainRoute({ from: 'bob', dialled: outside }, byCost, tuesday)
  assert.equal(
    steps.find(({ item, outcome }) => item === 'route puget-sound, trunk itsp-a' && outcome === 'note')?.detail,
    'no price for this number: last',
  )
})

test('Routr getTrunkURI: priority is heeded, not the first in the list', () => {
  const table = tableWith(
    ['    cost: itsp-a-minutes', '    cost: itsp-a-minutes\n    priority: 20'],
    ['    cost: itsp-b-bandwidth', '    cost: itsp-b-bandwidth\n    priority: 10'],
  )
  assert.deepEqual(walk(decide(from.alice, outside, {}, table)), ['callee: itsp-b +12065550100, itsp-a 12065550100'])
})

test('dsiprouter#74 wants bulk edits: a range is one line, and a list comes in by tandem import dids', () => {
  const table = tableWith([
    '\nemergency:\n',
    '\nnumbers: [{ range: "+14255557000-+14255557999", failover: bob }]\nemergency:\n',
  ])
  for (const number of ['+14255557000', '+14255557500', '+14255557999'])
    assert.deepEqual(walk(decide(from.itspA, number, {}, table)), ['callee: bob'], number)
})
