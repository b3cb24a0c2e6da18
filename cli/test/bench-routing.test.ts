import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureRouting } from '../src/bench/routing.ts'
import { describeRouting, routingFigures } from '../src/bench/routing-report.ts'

test('bench routing asks a router with tables of its own, sees every answer right through a reload, and prints figures', {
  timeout: 180_000,
}, async () => {
  const plan = {
    ...{ numbers: 8000, users: 300, prefixes: 1500, rules: 20, rate: 100, seconds: 1, runs: 2 },
    ...{ signal: new AbortController().signal, say: () => {} },
  }
  const figures = await measureRouting(plan)
  assert.deepEqual(figures.wrong, [])
  assert.deepEqual(
    [...figures.steady, figures.reload].map((round) => round.unanswered),
    [0, 0, 0],
  )
  assert.equal(figures.inside.users, 300)
  assert.equal(figures.inside.numbers, 8000)
  const lines = routingFigures(figures, plan)
  for (const { name, value, unit, peer, ratio } of lines) {
    assert.match(name, /^routing: /)
    assert.ok(Number.isFinite(value), name)
    assert.ok(unit.length > 0)
    assert.equal(peer !== null && ratio !== null, name.includes('over NATS'), name)
  }
  const line = describeRouting(figures, plan).match(/decision over NATS at 100\/s p99 .*ms/)?.[0] ?? ''
  assert.equal(
    line.match(/\d\.\d\d/g)?.length,
    7,
    `the router's and the echo's, their least and most, and the ratio: ${line}`,
  )
})
