import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { canReadCpu } from '../src/bench/cpu-time.ts'
import { climb, highestCalls, measureRtp, type RelayFigures } from '../src/bench/rtp.ts'
import { describeRtp, rtpFigures } from '../src/bench/rtp-report.ts'

const skip = canReadCpu() ? false : 'CPU time is read from /proc'

test('bench rtp: everybody hears the other one through the embedded relay, and through rtpengine where it is installed', {
  skip,
  timeout: 120_000,
}, async () => {
  const plan = {
    ...{ calls: 3, packetsPerSecond: 50, seconds: 1, runs: 1, ramp: false, peer: true },
    ...{ signal: new AbortController().signal, say: () => {} },
  }
  const told = await measureRtp(plan)
  assert.deepEqual(told.wrong, [])
  for (const side of [told.relay, told.peer]) {
    for (const { sent, received, strange, deaf } of side?.rounds ?? []) {
      assert.equal(sent, 300)
      assert.ok(received > 200 && received <= sent, `${side?.name}: ${received} of ${sent}`)
      assert.deepEqual([strange, deaf], [0, 0])
    }
  }
  const installed = whyNoRtpengine() === undefined
  const figures = new Map(rtpFigures(told, plan).map((each) => [each.name, each]))
  for (const name of ['CPU of all processes per packet', 'calls per core']) {
    const { value, peer, ratio } = figures.get(`rtp: ${name}, 3 calls`) ?? {}
    assert.ok((value ?? 0) > 0, name)
    if (installed) assert.ok((peer ?? 0) > 0 && (ratio ?? 0) > 0, name)
    else assert.deepEqual([peer, ratio], [null, null])
  }
  assert.ok(figures.has('rtp: delay p99, 3 calls'))
  assert.match(describeRtp(told, plan), installed ? /rtpengine/ : /No peer: rtpengine is not installed/)
})

test('bench rtp --ramp climbs until a step is not clean twice; a round for which the load had no time is played again', async () => {
  const clean = { sent: 1, received: 1, strange: 0, deaf: 0, delayP50Us: 50, delayP99Us: 900, lateMs: 1, cpuUs: 10 }
  const late = { ...clean, delayP99Us: 30_000, lateMs: 34 }
  const slow = { ...clean, delayP99Us: 2500, lateMs: 3 }
  const rounds = [late, clean, slow, late, clean, slow, late, slow]
  const relay: RelayFigures = { name: 'relay', rounds: [], steps: [] }
  await climb(relay, async (calls) => ({ ...(rounds.shift() ?? clean), calls }))
  assert.deepEqual(
    relay.steps.map(({ calls }) => calls),
    [50, 50, 100, 100, 100, 150, 150, 150],
  )
  assert.equal(highestCalls(relay), 100)
})
