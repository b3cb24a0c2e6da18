import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attempt } from '@tandem/contracts/routing.ts'
import fc from 'fast-check'
import { step } from '../src/domain/plan-walk.ts'
import { newWalk, type Walk, type WalkEffect, type WalkInput } from '../src/domain/walk-state.ts'
import { best } from '../src/domain/walk-verdict.ts'

const trunk = (name: string, retry = [408, 500, 502, 503, 504]): Attempt => ({
  kind: 'trunk',
  trunk: name,
  called: '1',
  calling: '2',
  noResponseMs: 4000,
  onlyTryingMs: 10_000,
  retry,
})
const user = (name: string): Attempt => ({ kind: 'user', user: name, ringMs: 20_000 })

/** Runs inputs one after the other and gathers what came of them. */
function play(walk: Walk, ...inputs: WalkInput[]): { walk: Walk; effects: WalkEffect[]; last: readonly WalkEffect[] } {
  const effects: WalkEffect[] = []
  let last: readonly WalkEffect[] = []
  let now = walk
  for (const input of inputs) {
    const [next, made] = step(now, input)
    now = next
    last = made
    effects.push(...made)
  }
  return { walk: now, effects, last }
}

const up = (attempt: number, legs = 1, more = 0): WalkInput => ({ kind: 'launched', attempt, legs, more })
const rings = (attempt: number, leg = 0, status = 180): WalkInput => ({ kind: 'provisional', attempt, leg, status })
const ends = (attempt: number, status: number, leg = 0): WalkInput => ({ kind: 'final', attempt, leg, status })
const answers = (attempt: number, leg = 0): WalkInput => ({ kind: 'answered', attempt, leg })
const kinds = (effects: readonly WalkEffect[]) => effects.map((e) => e.kind)
const launches = (effects: readonly WalkEffect[]) =>
  effects.flatMap((e) => (e.kind === 'launch' ? [e.what.kind === 'trunk' ? e.what.trunk : e.what.user] : []))

const two = () => newWalk([{ delayMs: 0, attempts: [trunk('a'), trunk('b')] }], false)
const start: WalkInput = { kind: 'start' }

describe('failover (routing.md R4)', () => {
  for (const status of [408, 500, 502, 503, 504]) {
    test(`${status} goes on to the next trunk`, () => {
      assert.deepEqual(launches(play(two(), start, up(0), ends(0, status)).effects), ['a', 'b'])
    })
  }
  for (const status of [404, 480, 484, 486, 487, 488, 600, 603]) {
    test(`${status} is final`, () => {
      const { effects, walk } = play(two(), start, up(0), ends(0, status))
      assert.deepEqual(launches(effects), ['a'])
      assert.equal(walk.kind, 'lost')
      assert.deepEqual(effects.at(-1), { kind: 'lose', status })
    })
  }
  test('RFC 3261 8.1.3.4: where a redirection leads takes the place of the attempt, and its word is the last', () => {
    const branches = [{ delayMs: 0, attempts: [trunk('c')] }]
    const moved = play(two(), start, up(0), { kind: 'redirected', attempt: 0, leg: 0, status: 302, branches })
    assert.deepEqual(launches(moved.effects), ['a', 'c'])
    const nobody = play(moved.walk, up(1), ends(1, 404))
    assert.deepEqual(nobody.effects.at(-1), { kind: 'next-place', attempt: 0, leg: 0 })
    const none: WalkInput = { kind: 'placed', attempt: 0, leg: 0, branches: [] }
    assert.deepEqual(play(nobody.walk, none).effects.at(-1), { kind: 'lose', status: 404 })
    const next = play(nobody.walk, { ...none, branches: [{ delayMs: 0, attempts: [trunk('d')] }] })
    assert.deepEqual(launches(next.effects), ['d'])
    assert.equal(play(next.walk, up(2), answers(2)).walk.kind, 'won')
    assert.equal(play(moved.walk, up(1), answers(1)).walk.kind, 'won')
  })
  test('one of several phones sends the call on: the others ring, too', () => {
    const walk = newWalk([{ delayMs: 0, attempts: [user('bob'), trunk('b')] }], false)
    const branches = [{ delayMs: 0, attempts: [trunk('c')] }]
    const moved = play(walk, start, up(0, 2), { kind: 'redirected', attempt: 0, leg: 1, status: 302, branches }, up(1))
    assert.deepEqual(launches(moved.effects), ['bob', 'c'])
    assert.equal(play(moved.walk, answers(0, 0)).walk.kind, 'won')
    assert.deepEqual(kinds(play(moved.walk, answers(0, 0)).last), ['win', 'clear-timers', 'clear-timers', 'cancel'])
  })
  test('a redirection that the caller is told of is the last word', () => {
    const told = play(two(), start, up(0), { kind: 'final', attempt: 0, leg: 0, status: 302, told: true })
    assert.deepEqual(told.effects.at(-1), { kind: 'lose', status: 302 })
  })
  test('a redirection is a failed attempt', () => {
    assert.deepEqual(launches(play(two(), start, up(0), ends(0, 302)).effects), ['a', 'b'])
  })
  test('the retry set of the trunk counts, but silence is always a failure', () => {
    const walk = () => newWalk([{ delayMs: 0, attempts: [trunk('a', [500]), trunk('b')] }], false)
    assert.deepEqual(launches(play(walk(), start, up(0), ends(0, 503)).effects), ['a'])
    assert.deepEqual(launches(play(walk(), start, up(0), ends(0, 500)).effects), ['a', 'b'])
    const lost: WalkInput = { kind: 'final', attempt: 0, leg: 0, status: 408, lost: true }
    assert.deepEqual(launches(play(walk(), start, up(0), lost).effects), ['a', 'b'])
  })
  test('no response in time: CANCEL, next', () => {
    const { effects } = play(two(), start, up(0), { kind: 'timer', timer: 'no-response', attempt: 0 })
    assert.ok(effects.some((e) => e.kind === 'cancel' && e.attempt === 0 && e.why === 'no-response'))
    assert.deepEqual(launches(effects), ['a', 'b'])
  })
  test('only 100 in time: CANCEL, next; the timer starts with the 100', () => {
    const seen = play(two(), start, up(0), rings(0, 0, 100))
    assert.deepEqual(seen.last, [
      { kind: 'clear-timers', attempt: 0 },
      { kind: 'set-timer', timer: 'only-trying', attempt: 0, ms: 10_000 },
    ])
    const { effects } = play(seen.walk, { kind: 'timer', timer: 'only-trying', attempt: 0 })
    assert.deepEqual(launches(effects), ['b'])
  })
  test('none after a non-100 provisional', () => {
    const { effects, walk } = play(two(), start, up(0), rings(0, 0, 183), ends(0, 503))
    assert.deepEqual(launches(effects), ['a'])
    assert.equal(walk.kind, 'lost')
    const timer = play(two(), start, up(0), rings(0), { kind: 'timer', timer: 'only-trying', attempt: 0 })
    assert.equal(timer.last.length, 0)
  })
  test('a late 2xx of an attempt that was left is discarded', () => {
    const left = play(two(), start, up(0), { kind: 'timer', timer: 'no-response', attempt: 0 }, up(1))
    assert.deepEqual(kinds(play(left.walk, answers(0)).last), ['discard'])
    assert.equal(play(left.walk, answers(0), answers(1)).walk.kind, 'won')
  })
  test('the next address of a trunk is tried before the next trunk', () => {
    const { effects } = play(two(), start, up(0, 1, 1), ends(0, 503))
    const second = effects.filter((e) => e.kind === 'launch')[1]
    assert.ok(second?.kind === 'launch' && second.path === 1 && second.number === 2)
    assert.deepEqual(launches(effects), ['a', 'a'])
  })
  test('every trunk fails: the best of what they said', () => {
    const { effects } = play(two(), start, up(0), ends(0, 503), up(1), ends(1, 500))
    assert.deepEqual(effects.at(-1), { kind: 'lose', status: 500 })
  })
})

describe('emergency (location.md L2)', () => {
  const ladder = () => newWalk([{ delayMs: 0, attempts: [trunk('a'), trunk('b'), user('desk')] }], true)
  for (const status of [302, 403, 486, 487, 600, 603]) {
    test(`${status} is not the end: the next rung`, () => {
      assert.deepEqual(launches(play(ladder(), start, up(0), ends(0, status)).effects), ['a', 'b'])
    })
  }
  test('nobody listens there (ICMP): the next rung at once, while the last one keeps its time', () => {
    const walk = newWalk([{ delayMs: 0, attempts: [trunk('a'), trunk('b')] }], true)
    const gone = (attempt: number): WalkInput => ({ kind: 'unreachable', attempt })
    const first = play(walk, start, up(0), gone(0), gone(0), up(1))
    assert.deepEqual(launches(first.effects), ['a', 'b'])
    const last = play(first.walk, gone(1))
    assert.deepEqual(last.effects, [])
    assert.equal(play(last.walk, answers(0)).walk.kind, 'won', 'repeated all the same')
    assert.equal(play(walk, start, up(0), rings(0, 0, 100), gone(0)).walk.attempts.length, 1)
  })
  test('also after it rang', () => {
    assert.deepEqual(launches(play(ladder(), start, up(0), rings(0), ends(0, 500)).effects), ['a', 'b'])
  })
  test('the first 2xx of any rung wins, also of one that was given up', () => {
    const left = play(ladder(), start, up(0), { kind: 'timer', timer: 'no-response', attempt: 0 }, up(1), rings(1))
    const { last, walk } = play(left.walk, answers(0))
    assert.equal(walk.kind, 'won')
    assert.deepEqual(last[0], { kind: 'win', attempt: 0, leg: 0 })
    assert.ok(last.some((e) => e.kind === 'cancel' && e.attempt === 1))
    assert.deepEqual(kinds(play(walk, answers(1)).last), ['discard'])
  })
})

describe('branches', () => {
  const both = (delayMs = 0) =>
    newWalk(
      [
        { delayMs: 0, attempts: [user('alice')] },
        { delayMs, attempts: [trunk('a')] },
      ],
      false,
    )
  test('ring together; the answer of one cancels the others', () => {
    const { effects, walk } = play(both(), start, up(0, 2), up(1), rings(0), rings(1), answers(1))
    assert.equal(walk.kind, 'won')
    const cancelled = effects.flatMap((e) => (e.kind === 'cancel' ? [`${e.attempt}.${e.leg} ${e.why}`] : []))
    assert.deepEqual(cancelled, ['0.0 answered-elsewhere', '0.1 answered-elsewhere'])
  })
  test('busy on one lets the other ring; a decline ends all (RFC 3261 16.7)', () => {
    assert.equal(play(both(), start, up(0), up(1), ends(0, 486)).walk.kind, 'walking')
    const { effects, walk } = play(both(), start, up(0), up(1), ends(0, 603))
    assert.equal(walk.kind, 'lost')
    assert.ok(effects.some((e) => e.kind === 'cancel' && e.attempt === 1))
    assert.deepEqual(effects.at(-1), { kind: 'lose', status: 603 })
  })
  test('a delayed branch begins at its time, or at once when nobody rings any more', () => {
    const waiting = play(both(5000), start, up(0))
    assert.deepEqual(launches(waiting.effects), ['alice'])
    assert.deepEqual(launches(play(waiting.walk, { kind: 'delay', branch: 1 }).effects), ['a'])
    assert.deepEqual(launches(play(waiting.walk, ends(0, 486)).effects), ['a'])
  })
  test('nobody picks up in the ring time: 480', () => {
    const alone = newWalk([{ delayMs: 0, attempts: [user('alice')] }], false)
    const { effects } = play(alone, start, up(0), rings(0), { kind: 'timer', timer: 'ring', attempt: 0 })
    assert.ok(effects.some((e) => e.kind === 'cancel' && e.why === 'no-answer'))
    assert.deepEqual(effects.at(-1), { kind: 'lose', status: 480 })
  })
  test('the caller goes: all that rings is cancelled, and nothing begins any more', () => {
    const { effects, walk } = play(both(), start, up(0, 2), up(1), { kind: 'cancel' })
    assert.equal(walk.kind, 'cancelled')
    assert.equal(effects.filter((e) => e.kind === 'cancel' && e.why === 'caller-gone').length, 3)
    assert.deepEqual(kinds(play(walk, answers(0)).last), ['discard'])
    assert.deepEqual(play(walk, ends(1, 503)).last, [])
  })
})

describe('forwarding: stages that follow each other (routing.md R8, docs/adr/0062)', () => {
  const forwarding = () =>
    newWalk(
      [
        { delayMs: 0, attempts: [user('alice')] },
        { delayMs: 0, attempts: [trunk('mobile')] },
        { delayMs: 20_000, stage: 1, follows: { stage: 0, on: ['no-answer'] }, attempts: [trunk('voicemail')] },
        { delayMs: 0, stage: 2, follows: { stage: 0, on: ['busy'] }, attempts: [user('bob')] },
        { delayMs: 0, stage: 3, follows: { stage: 0, on: ['unreachable'] }, attempts: [trunk('reception')] },
        { delayMs: 0, stage: 4, follows: { stage: 2, on: ['busy', 'no-answer'] }, attempts: [user('carol')] },
      ],
      false,
    )
  const stages = (...inputs: WalkInput[]) => {
    const { walk, effects } = play(forwarding(), start, up(0), up(1), ...inputs)
    return [launches(effects).slice(2), walk.kind]
  }
  test('only the first stage rings at first, and the time of no answer runs', () => {
    const { effects } = play(forwarding(), start)
    assert.deepEqual(launches(effects), ['alice', 'mobile'])
    assert.deepEqual(
      effects.filter((e) => e.kind === 'set-delay'),
      [{ kind: 'set-delay', branch: 2, ms: 20_000 }],
    )
  })
  test('busy, once nothing else rings', () => {
    assert.deepEqual(stages(ends(0, 486)), [[], 'walking'], 'the mobile rings on')
    assert.deepEqual(stages(ends(0, 486), ends(1, 480)), [['bob'], 'walking'])
    assert.deepEqual(stages(rings(0), ends(0, 486), ends(1, 503)), [['bob'], 'walking'])
  })
  test('a decline counts as busy and ends what rings', () => {
    const { effects } = play(forwarding(), start, up(0), up(1), rings(1), ends(0, 603))
    assert.deepEqual(launches(effects).slice(2), ['bob'])
    assert.ok(effects.some((e) => e.kind === 'cancel' && e.attempt === 1))
  })
  test('no answer: at its time, whatever rings then', () => {
    const { effects, walk } = play(forwarding(), start, up(0), up(1), rings(0), rings(1), { kind: 'delay', branch: 2 })
    assert.deepEqual(launches(effects).slice(2), ['voicemail'])
    const cancelled = effects.flatMap((e) => (e.kind === 'cancel' ? [`${e.attempt} ${e.why}`] : []))
    assert.deepEqual(cancelled, ['0 no-answer', '1 no-answer'])
    assert.deepEqual(effects.filter((e) => e.kind === 'attempt-failed').length, 2)
    assert.equal(play(walk, up(2), answers(2)).walk.kind, 'won')
    assert.deepEqual(kinds(play(walk, answers(0)).last), ['discard'], 'too late')
    assert.deepEqual(play(walk, up(2), ends(2, 404)).walk.kind, 'lost')
  })
  test('unreachable: nobody rang and nobody said busy', () => {
    assert.deepEqual(stages(ends(0, 480), ends(1, 503)), [['reception'], 'walking'])
    const none = play(forwarding(), start, { kind: 'launched', attempt: 0, legs: 0 }, up(1), ends(1, 404))
    assert.deepEqual(launches(none.effects).slice(2), ['reception'])
  })
  test('a chain goes on with the next one, and ends', () => {
    const busy = [ends(0, 486), ends(1, 486), up(2)]
    assert.deepEqual(stages(...busy, ends(2, 486)), [['bob', 'carol'], 'walking'])
    assert.deepEqual(stages(...busy, ends(2, 480)), [['bob'], 'lost'], 'nothing follows on that')
    assert.deepEqual(stages(...busy, ends(2, 486), up(3), ends(3, 486)), [['bob', 'carol'], 'lost'])
  })
  test('a trunk whose way is found only after its stage is over is not asked', () => {
    const late = play(forwarding(), start, up(0), rings(0), { kind: 'delay', branch: 2 }, up(1))
    assert.ok(late.last.some((e) => e.kind === 'cancel' && e.attempt === 1))
    assert.equal(late.walk.kind, 'walking')
  })
  test('the answer of the callee ends it', () => {
    const { walk } = play(forwarding(), start, up(0), up(1), rings(0), answers(0))
    assert.equal(walk.kind, 'won')
    assert.deepEqual(play(walk, { kind: 'delay', branch: 2 }).last, [])
  })
})

test('the best response (RFC 3261 16.7 step 6)', () => {
  assert.equal(best([503, 404, 486]), 486)
  assert.equal(best([480, 603]), 603)
  assert.equal(best([500, 404]), 404)
  assert.equal(best([503, 500]), 500)
  assert.equal(best([408, 480, 404]), 404)
  assert.equal(best([]), 480)
})

describe('whatever comes, in whatever order', () => {
  const attempt = fc.oneof(
    fc.constantFrom('a', 'b', 'c').map((name) => trunk(name)),
    fc.constantFrom('alice', 'bob').map((name) => user(name)),
  )
  const branch = fc.record({
    delayMs: fc.constantFrom(0, 0, 1000),
    stage: fc.constantFrom(undefined, undefined, 1, 2),
    follows: fc.constantFrom(
      undefined,
      undefined,
      { stage: 0, on: ['busy' as const] },
      { stage: 0, on: ['no-answer' as const, 'unreachable' as const] },
      { stage: 1, on: ['busy' as const, 'unreachable' as const] },
    ),
    attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
  })
  const index = fc.nat({ max: 5 })
  const leg = fc.nat({ max: 2 })
  const input: fc.Arbitrary<WalkInput> = fc.oneof(
    fc.record({
      kind: fc.constant('launched' as const),
      attempt: index,
      legs: fc.nat({ max: 3 }),
      more: fc.nat({ max: 1 }),
    }),
    fc.record({
      kind: fc.constant('provisional' as const),
      attempt: index,
      leg,
      status: fc.constantFrom(100, 180, 183),
    }),
    fc.record({
      kind: fc.constant('final' as const),
      attempt: index,
      leg,
      status: fc.constantFrom(302, 404, 408, 486, 487, 500, 503, 603),
      lost: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('answered' as const), attempt: index, leg }),
    fc.record({
      kind: fc.constant('redirected' as const),
      attempt: index,
      leg,
      status: fc.constant(302),
      branches: fc.array(branch, { minLength: 1, maxLength: 2 }),
    }),
    fc.record({
      kind: fc.constant('placed' as const),
      attempt: index,
      leg,
      branches: fc.array(branch, { maxLength: 2 }),
    }),
    fc.record({
      kind: fc.constant('timer' as const),
      timer: fc.constantFrom('no-response' as const, 'only-trying' as const, 'ring' as const),
      attempt: index,
    }),
    fc.record({ kind: fc.constant('delay' as const), branch: fc.nat({ max: 3 }) }),
    fc.record({ kind: fc.constant('unreachable' as const), attempt: index }),
    fc.constant({ kind: 'cancel' as const }),
  )

  test('one winner at most, nothing begins after the end, and a 2xx is never left hanging', () => {
    fc.assert(
      fc.property(
        fc.array(branch, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.array(input, { maxLength: 40 }),
        (branches, emergency, inputs) => {
          let walk = newWalk(branches, emergency)
          let wins = 0
          let ends = 0
          for (const next of [start, ...inputs]) {
            const before = walk
            const known = next.kind === 'answered' && before.attempts[next.attempt]?.legs[next.leg] !== undefined
            const [after, effects] = step(walk, next)
            walk = after
            if (before.kind !== 'walking') {
              assert.ok(!effects.some((e) => e.kind === 'launch' || e.kind === 'win' || e.kind === 'lose'))
            }
            if (known) assert.equal(effects.filter((e) => e.kind === 'win' || e.kind === 'discard').length, 1)
            wins += effects.filter((e) => e.kind === 'win').length
            ends += effects.filter((e) => e.kind === 'win' || e.kind === 'lose').length
          }
          assert.ok(wins <= 1 && ends <= 1)
          if (walk.kind === 'won') assert.equal(wins, 1)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('when every attempt fails the walk ends, and each rung of an emergency was tried', () => {
    fc.assert(
      fc.property(
        fc.array(branch, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.constantFrom(302, 408, 486, 503, 603),
        fc.array(fc.array(branch, { minLength: 1, maxLength: 2 }), { maxLength: 4 }),
        (written, emergency, status, sentOn) => {
          // no call for help is forwarded
          const branches = emergency ? written.map(({ delayMs, attempts }) => ({ delayMs, attempts })) : written
          let walk = newWalk(branches, emergency)
          const begun: Attempt[] = []
          const queue: WalkInput[] = [start]
          // whoever says 302 is followed as long as there are places
          const places = [...sentOn]
          for (let n = 0; n < 200 && queue.length > 0; n++) {
            const [after, effects] = step(walk, queue.shift() as WalkInput)
            walk = after
            for (const effect of effects) {
              if (effect.kind === 'launch') {
                begun.push(effect.what)
                const { attempt } = effect
                const to = status === 302 && !emergency ? places.shift() : undefined
                const end: WalkInput = to
                  ? { kind: 'redirected', attempt, leg: 0, status, branches: to }
                  : ends(attempt, status)
                queue.push(up(attempt), end)
              } else if (effect.kind === 'next-place') {
                queue.push({ kind: 'placed', attempt: effect.attempt, leg: effect.leg, branches: places.shift() ?? [] })
              } else if (effect.kind === 'set-delay') queue.push({ kind: 'delay', branch: effect.branch })
            }
          }
          assert.equal(walk.kind, 'lost')
          if (emergency) assert.equal(begun.length, branches.flatMap((b) => b.attempts).length)
        },
      ),
    )
  })
})
