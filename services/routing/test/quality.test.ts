/** routing.md R3: trunks are demoted by ASR, NER and PDD with hysteresis, never erased, and never for an emergency call. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import type { TrunkQualityRule } from '@tandem/config/defaults.ts'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import { TrunkJudged } from '@tandem/contracts/registration.ts'
import { ExplainRoute, ResolveRoute } from '@tandem/contracts/routing.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import fc from 'fast-check'
import { decideRoute } from '../src/domain/decide-route.ts'
import {
  counted,
  figuresOf,
  judged,
  outcomeOf,
  type TrunkQuality,
  unknownQuality,
} from '../src/domain/trunk-quality.ts'
import { startRouting } from '../src/service.ts'
import { acme, acmeText, ask, configurationWith, from, plan, tuesday, walk } from './acme.ts'

const minute = 60_000
const rule: TrunkQualityRule = {
  ...{ asr: { below: 0.4, back: 0.55 }, ner: null, pdd: null },
  ...{ windowMs: 15 * minute, calls: 10, probe: 0.05, pauseMs: 30 * minute },
}
const answered = { answered: true, effective: true, pddMs: 1000 }
const failed = { answered: false, effective: false, pddMs: undefined }

/** So many calls, one each second. */
function having(quality: TrunkQuality, calls: readonly boolean[], at: number, by = rule): TrunkQuality {
  return calls.reduce((now, ok, i) => counted(now, by, ok ? answered : failed, at + i * 1000), quality)
}
const calls = (good: number, bad: number) => [
  ...Array.from({ length: good }, () => true),
  ...Array.from({ length: bad }, () => false),
]

test('a trunk is judged by no fewer calls than the configuration wants, then demoted with the reason', () => {
  const nine = having(unknownQuality, calls(0, 9), tuesday)
  assert.equal(nine.kind, 'good')
  const ten = having(nine, [false], tuesday + 10_000)
  assert.equal(ten.kind, 'poor')
  assert.equal(ten.why, 'ASR 0 % of 10 calls, below 40 %')
})
test('between the two thresholds nothing changes: it comes back at the better one only', () => {
  const poor = having(unknownQuality, calls(0, 10), tuesday)
  const halfWay = having(poor, calls(5, 5), tuesday + minute)
  assert.equal(halfWay.kind, 'poor', '50 % is not 55 %')
  assert.equal(having(halfWay, calls(4, 0), tuesday + 2 * minute).kind, 'good', '9 of 14')
  const good = having(unknownQuality, calls(5, 5), tuesday)
  assert.equal(good.kind, 'good', '50 % is not below 40 %')
})
test('calls before the window count no more', () => {
  const old = having(unknownQuality, calls(0, 9), tuesday)
  assert.equal(having(old, calls(0, 9), tuesday + 16 * minute).kind, 'good')
  assert.equal(figuresOf(old, rule, tuesday + 16 * minute).calls, 0)
})
test('a demoted trunk that nobody tried comes back after the pause; one that still fails does not', () => {
  const poor = having(unknownQuality, calls(0, 10), tuesday)
  assert.equal(judged(poor, rule, tuesday + 29 * minute).kind, 'poor')
  assert.equal(judged(poor, rule, tuesday + 31 * minute).kind, 'good')
  const tried = having(poor, calls(0, 10), tuesday + 25 * minute)
  const still = judged(tried, rule, tuesday + 31 * minute)
  assert.equal(still.kind, 'poor')
  assert.equal(judged(still, rule, tuesday + 62 * minute).kind, 'good', 'but is given another chance later')
})
test('post-dial delay and network effectiveness demote too', () => {
  const pdd = { ...rule, asr: null, pdd: { aboveMs: 5000, backMs: 4000 } }
  const slow = Array.from({ length: 10 }).reduce<TrunkQuality>(
    (now, _, i) => counted(now, pdd, { ...answered, pddMs: 6000 }, tuesday + i),
    unknownQuality,
  )
  assert.match(slow.why ?? '', /^PDD 6 s on average, above 5 s$/)
  const ner = { ...rule, asr: null, ner: { below: 0.9, back: 0.95 } }
  const busy = { answered: false, effective: true, pddMs: 900 }
  const all = Array.from({ length: 20 }).reduce<TrunkQuality>(
    (now, _, i) => counted(now, ner, busy, tuesday + i),
    unknownQuality,
  )
  assert.equal(all.kind, 'good', 'busy is the called user, not the network (ITU-T E.425)')
})
test('whatever the calls, a verdict changes only beyond its own threshold, and the same calls give the same verdict', () => {
  const history = fc.integer({ min: 1, max: 9 }).chain((of10) =>
    fc.array(fc.record({ ok: fc.nat(9).map((n) => n < of10), gapMs: fc.nat(minute) }), {
      minLength: 50,
      maxLength: 200,
    }),
  )
  let verdicts = 0
  fc.assert(
    fc.property(history, (steps) => {
      const run = () => {
        const seen: string[] = []
        let quality: TrunkQuality = unknownQuality
        let at = tuesday
        for (const { ok, gapMs } of steps) {
          at += gapMs
          const before = quality
          quality = counted(before, rule, ok ? answered : failed, at)
          seen.push(quality.kind)
          assert.ok(quality.tallies.length <= 15)
          if (before.kind === quality.kind) continue
          verdicts++
          // what was counted up to this call, before the verdict emptied the window
          const { asr = 1, calls: n } = figuresOf(
            counted(before, { ...rule, calls: Infinity, pauseMs: Infinity }, ok ? answered : failed, at),
            rule,
            at,
          )
          if (quality.kind === 'poor') assert.ok(n >= rule.calls && asr < 0.4, `${n} ${asr}`)
          else assert.ok((n >= rule.calls && asr >= 0.55) || at - before.since >= rule.pauseMs, `${n} ${asr}`)
        }
        return seen
      }
      assert.deepEqual(run(), run())
    }),
    { numRuns: 300 },
  )
  assert.ok(verdicts > 20, `only ${verdicts} verdicts: the histories try nothing`)
})

const poor = (probe: number) => new Map([['itsp-a', { why: 'ASR 10 % of 40 calls, below 40 %', probe }]])
const outside = '912065550100'

test('a demoted trunk comes after the good ones and before those that are down; emergency calls do not care', () => {
  const first = { poor: poor(0) }
  assert.deepEqual(walk(decideRoute(ask(from.bob, outside), acme, tuesday, first)), [
    'callee: itsp-b +12065550100, itsp-a 12065550100',
  ])
  const alone = { poor: poor(0), down: new Set(['itsp-b']) }
  assert.deepEqual(walk(decideRoute(ask(from.bob, outside), acme, tuesday, alone)), [
    'callee: itsp-a 12065550100, itsp-b +12065550100',
  ])
  const help = plan(decideRoute(ask(from.bob, '911'), acme, tuesday, first))
  assert.equal(help.branches[0]?.attempts[0]?.kind === 'trunk' && help.branches[0].attempts[0].trunk, 'itsp-a')
})
test('a share of the calls tries a demoted trunk in its ordinary place', () => {
  const firsts = Array.from({ length: 4000 }, (_, i) => {
    const decision = decideRoute(ask(from.bob, outside, { callId: `call-${i}` }), acme, tuesday, { poor: poor(0.05) })
    return walk(decision)[0]?.startsWith('callee: itsp-a')
  })
  const share = firsts.filter(Boolean).length / firsts.length
  assert.ok(share > 0.035 && share < 0.065, `${share} instead of 0.05`)
})
test('a call for help, a cancelled fork and a call that came in say nothing about the trunk', () => {
  const leg = record(1, 503)
  assert.equal(outcomeOf(leg)?.effective, false)
  assert.equal(outcomeOf({ ...leg, emergency: true }), undefined)
  assert.equal(outcomeOf({ ...leg, role: 'caller' }), undefined)
  assert.equal(outcomeOf({ ...leg, reason: 'answered-elsewhere' }), undefined)
  assert.equal(outcomeOf({ ...leg, sipStatus: 486 })?.effective, true)
})

test('quality is written in the configuration with its defaults', () => {
  const { trunks } = configurationWith([
    '    cost: itsp-a-minutes',
    '    cost: itsp-a-minutes\n    quality: { asr: { below: 40%, back: 55% }, pdd: { above: 5s } }',
  ])
  assert.deepEqual(trunks['itsp-a']?.quality, {
    ...{ asr: { below: 0.4, back: 0.55 }, ner: null, pdd: { aboveMs: 5000, backMs: 4000 } },
    ...{ windowMs: 15 * minute, calls: 30, probe: 0.05, pauseMs: 30 * minute },
  })
  assert.equal(trunks['itsp-b']?.quality, null)
})

function record(n: number, status: number, trunk = 'itsp-a'): LegRecord {
  const at = new Date(Date.now() - 1000).toISOString()
  return {
    ...{ callId: `c${n}`, legId: `l${n}`, seq: 3, edge: 'edge-1', at, role: 'callee', party: { kind: 'trunk', trunk } },
    ...{ from: '+14255551002', dialled: '12065550100', emergency: false, attempt: 1, sipCallId: `s${n}` },
    ...{ startedAt: at, endedAt: at, durationMs: 0, endedBy: 'callee', sipStatus: status, q850: 41, estimated: false },
  }
}

let nats: PrivateNats
let edge: Bus
let console_: Bus
before(async () => {
  nats = await startPrivateNats()
  edge = await nats.bus('edge-proxy')
  console_ = await nats.bus('console')
})
after(() => nats.close())

test('the router hears the records of ended calls, demotes the trunk, tells it, explains it, and knows it after a restart', async () => {
  const text = acmeText.replace(
    '    cost: itsp-a-minutes',
    '    cost: itsp-a-minutes\n    quality: { asr: { below: 40%, back: 55% }, calls: 10, probe: 0% }',
  )
  const source = [{ path: 'acme.yaml', text }]
  const revision = { revision: 1, by: 'test', at: '2026-03-10T17:00:00Z', why: '', source, decks: {} }
  await (await console_.bucket(CONFIG_BUCKET)).put(CONFIG_KEY, writeRevision(revision))
  const told: string[] = []
  console_.hear(TrunkJudged, ({ trunk, demoted, why }) => void told.push(`${trunk} ${demoted} ${why}`))
  await console_.flush()
  const log = createLogger({ service: 'routing', level: 'silent' })
  const start = async () => startRouting({ bus: await nats.bus('routing'), log, clock: Date.now })
  let routing = await start()
  await until(() => routing.ready() === undefined)
  assert.deepEqual(await dial(), ['callee: itsp-a 12065550100, itsp-b +12065550100'])
  for (let n = 0; n < 12; n++) await edge.record(CallEnded, record(n, 503), { messageId: `l${n}` })
  await until(async () => (await dial())[0] === 'callee: itsp-b +12065550100, itsp-a 12065550100')
  await until(() => told.some((line) => line === 'itsp-a true ASR 0 % of 10 calls, below 40 %'))
  const asked = await console_.ask(ExplainRoute, { from: 'bob', dialled: outside })
  assert.ok(asked.kind === 'answer')
  assert.ok(asked.answer.steps.some(({ detail }) => /demoted by quality \(ASR 0 % of 10 calls/.test(detail)))
  assert.equal(asked.answer.places?.find(({ trunk }) => trunk === 'itsp-a')?.quality?.demoted, true)
  await routing.stop()
  routing = await start()
  await until(() => routing.ready() === undefined)
  await until(async () => (await dial())[0] === 'callee: itsp-b +12065550100, itsp-a 12065550100')
  await routing.stop()
})

async function dial(): Promise<string[]> {
  const asked = await edge.ask(ResolveRoute, ask(from.bob, outside))
  return asked.kind === 'answer' ? walk(asked.answer) : []
}
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await condition()) return
    await pause(20)
  }
  assert.fail('did not come about within 20 s')
}
