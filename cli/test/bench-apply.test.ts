import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureApply } from '../src/bench/apply.ts'
import { applyFigures, describeApply } from '../src/bench/apply-report.ts'
import { canReadCpu } from '../src/bench/cpu-time.ts'

const skip = canReadCpu() ? false : 'memory is read from /proc'

test('bench apply answers every call and every call for help while two configurations are applied and one rolled back', {
  skip,
  timeout: 300_000,
}, async () => {
  const plan = {
    // above the size from which it is read by processes of their own
    ...{ numbers: 6000, users: 500, prefixes: 2000, rules: 20, rate: 10, seconds: 1 },
    ...{ signal: new AbortController().signal, say: () => {} },
  }
  const told = await measureApply(plan)
  assert.deepEqual(told.wrong, [])
  assert.deepEqual(
    told.changes.map(({ name }) => name),
    ['nothing', 'first', 'second', 'rollback'],
  )
  for (const { name, calls, help } of told.changes) {
    assert.ok(help.calls > 0, `${name}: somebody called for help`)
    assert.deepEqual([calls.answered, help.answered], [calls.calls, help.calls])
  }
  const figures = applyFigures(told)
  for (const { name, value, peer, ratio } of figures) {
    assert.match(name, /^apply: /)
    assert.ok(value !== null, name)
    assert.deepEqual([peer, ratio], [null, null])
  }
  const names = figures.map(({ name }) => name)
  for (const service of ['edge-proxy', 'routing', 'presence', 'location', 'billing', 'console']) {
    assert.ok(names.includes(`apply: rollback to the first, longest stop of ${service}`), service)
    assert.ok(names.includes(`apply: rollback to the first, memory of ${service}, PSS`), service)
  }
  assert.match(describeApply(told, plan), /another large one .* of /)
})
