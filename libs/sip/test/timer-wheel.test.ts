import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimerWheel } from '../src/transaction/timer-wheel.ts'
import { fakeTime } from './fake-time.ts'

test('a timer fires once, never early, at most one tick late, or ten when it is one of more than 10 s', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 5000 }), ms: fc.integer({ min: 0, max: 90_000 }) }), {
        maxLength: 40,
      }),
      (plan) => {
        const time = fakeTime()
        const wheel = new TimerWheel(time, 10)
        const late: { ms: number; of: number }[] = []
        for (const { at, ms } of plan.toSorted((a, b) => a.at - b.at)) {
          time.advance(at - time.now())
          const due = at + ms
          wheel.after(ms, () => late.push({ ms: time.now() - due, of: ms }))
        }
        time.advance(100_000)
        assert.equal(late.length, plan.length)
        for (const { ms, of } of late)
          assert.ok(ms >= 0 && ms <= (of <= 10_000 ? 20 : 110), `${ms} ms late after ${of} ms`)
        assert.equal(wheel.size, 0)
        assert.equal(time.waiting, 0)
      },
    ),
  )
})

test('long timers of many calls wake their owner ten times a second and not more', () => {
  const time = fakeTime()
  let wakes = 0
  const counted = {
    ...time,
    setTimer: (ms: number, fire: () => void) =>
      time.setTimer(ms, () => {
        wakes++
        fire()
      }),
  }
  const wheel = new TimerWheel(counted, 10)
  let fired = 0
  for (let call = 0; call < 500; call++) {
    wheel.after(20_000, () => fired++)
    wheel.after(32_000, () => fired++)
    time.advance(3)
  }
  time.advance(40_000)
  assert.equal(fired, 1000)
  assert.ok(wakes <= 40, `${wakes} wakes`)
})

test('a cleared timer does not fire, not even when cleared by another of the same tick', () => {
  const time = fakeTime()
  const wheel = new TimerWheel(time, 10)
  const fired: string[] = []
  wheel.after(100, () => {
    fired.push('first')
    wheel.clear(second)
  })
  const second = wheel.after(100, () => fired.push('second'))
  const third = wheel.after(50, () => fired.push('third'))
  wheel.clear(third)
  wheel.clear(third)
  time.advance(1000)
  assert.deepEqual(fired, ['first'])
  assert.equal(wheel.size, 0)
})

test('timers of one tick fire in the order in which they were set', () => {
  const time = fakeTime()
  const wheel = new TimerWheel(time, 10)
  const fired: number[] = []
  for (let i = 0; i < 5; i++) wheel.after(500, () => fired.push(i))
  time.advance(600)
  assert.deepEqual(fired, [0, 1, 2, 3, 4])
})

test('after a long pause of the process every overdue timer fires', () => {
  const time = fakeTime()
  const wheel = new TimerWheel({ ...time, setTimer: (ms, fire) => time.setTimer(ms + 120_000, fire) }, 10)
  let fired = 0
  for (let ms = 0; ms < 100_000; ms += 997) wheel.after(ms, () => fired++)
  time.advance(300_000)
  assert.equal(fired, Math.ceil(100_000 / 997))
})

test('a timer set by a timer fires too, and a closed wheel keeps still', () => {
  const time = fakeTime()
  const wheel = new TimerWheel(time, 10)
  const fired: number[] = []
  wheel.after(10, () => wheel.after(10, () => fired.push(time.now())))
  time.advance(100)
  assert.deepEqual(fired, [20])
  wheel.after(10, () => fired.push(-1))
  wheel.close()
  assert.equal(wheel.after(10, () => fired.push(-2)).active, false)
  time.advance(100)
  assert.deepEqual(fired, [20])
  assert.equal(time.waiting, 0)
})

test('a timer that throws does not keep the others of its tick from firing', () => {
  const time = fakeTime()
  const wheel = new TimerWheel(time, 10)
  const fired: string[] = []
  wheel.after(10, () => {
    throw new Error('a bug')
  })
  wheel.after(10, () => fired.push('same tick'))
  wheel.after(500, () => fired.push('later'))
  assert.throws(() => time.advance(1000), /a bug/)
  time.advance(1000)
  assert.deepEqual(fired, ['same tick', 'later'])
})
