/**
 * Established calls outlive their edge (edge.md, better than every peer read 1): two edges, fifty calls by sipp and a few
 * with audio on one of them, and that one is killed with -9.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { type Itsp, startItsp } from '@tandem/testing/itsp.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { callOf } from '../e2e/enterprise.ts'
import { type Document, eventually, type Platform, plainDocument, startPlatform } from '../e2e/platform.ts'
import { findSipp, type SippRun, startSipp } from '../e2e/sipp.ts'
import { callsAt, type MoreEdge, startMoreEdge } from './more-edges.ts'

const skip = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
/** Where the edge of the platform is, and the one that dies. */
const SURVIVOR = '127.0.0.1'
const DOOMED = '127.0.0.3'
const SIPP_CALLS = 50
const AUDIO_CALLS = 2
const WITHIN = 30_000
const CLUSTER = { CLUSTER_SECRET: 'a secret of this cluster' }

let platform: Platform
let audioCarrier: Itsp
let doomed: MoreEdge
let survivor: string
const phones: Phone[] = []

before(async () => {
  if (skip) return
  const audioPort = await steadyPort()
  audioCarrier = await startItsp({ name: 'carrier C', listen: `udp://127.0.0.1:${audioPort}` })
  platform = await startPlatform((ports) => {
    // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
    const document = plainDocument(ports) as any
    delete document.edge.listen.remote
    delete document.edge.listen['inside-tcp']
    document.edge.cluster = { secret: { env: 'CLUSTER_SECRET' } }
    document.trunks['itsp-c'] = {
      to: [`sip:127.0.0.1:${audioPort}`],
      from: [`127.0.0.1:${audioPort}`],
      listener: 'carrier',
      cost: 'minutes',
    }
    document.routes.unshift({ name: 'audio', match: '^\\+1800', usages: ['national'], trunks: ['itsp-c'] })
    return document as Document
  }, CLUSTER)
  survivor = await platform.healthUrl('edge-proxy')
  doomed = await startMoreEdge(platform, 'edge-b', DOOMED, CLUSTER)
})
after(async () => {
  await Promise.all(phones.map((phone) => phone.close()))
  await doomed?.stop()
  await audioCarrier?.close()
  await platform?.stop()
})

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Alice's sipp calls at the edge that dies; `carrierHangsUp`: the other half. */
async function dial(carrierHangsUp: boolean): Promise<{ caller: SippRun; carrier: SippRun }> {
  const { ports } = platform
  const user = { user: 'alice', password: platform.secrets.ALICE_PASSWORD as string }
  const target = `${DOOMED}:${ports.inside}`
  const localPort = await steadyPort()
  const registered = await startSipp({ scenario: 'user-registers.xml', target, localPort, calls: 1, ...user })
  assert.equal((await registered.done).successful, 1)
  const move = (port: number) => ({ survivor: SURVIVOR, survivor_port: String(port) })
  const calls = SIPP_CALLS / 2
  const carrier = await startSipp({
    scenario: carrierHangsUp ? 'carrier-outlives-edge-hangs-up.xml' : 'carrier-outlives-edge.xml',
    localPort: carrierHangsUp ? ports.carrierB : ports.carrierA,
    keys: move(ports.carrier),
    timeout: 120,
  })
  const caller = await startSipp({
    scenario: carrierHangsUp ? 'caller-outlives-edge.xml' : 'caller-outlives-edge-hangs-up.xml',
    target,
    localPort,
    calls,
    rate: 25,
    keys: { dialled: carrierHangsUp ? '9011442079460000' : '912065550100', ...move(ports.inside) },
    timeout: 120,
    ...user,
  })
  return { caller, carrier }
}

interface Talk {
  readonly call: CallHandle
  readonly far: CallHandle
}

async function talk(phone: Phone, number: string): Promise<Talk> {
  const call = await phone.call(`9${number}`)
  const invite = await audioCarrier.nextInvite((i) => i.number.endsWith(number), WITHIN)
  await call.answered
  const far = await callOf(invite)
  await hearing({ call, far })
  return { call, far }
}

/** Both hear the other's tone in what comes from now on. */
async function hearing({ call, far }: Talk): Promise<void> {
  const [here, there] = [call.audio.packetsReceived, far.audio.packetsReceived]
  const anew = async () => call.audio.packetsReceived > here + 60 && far.audio.packetsReceived > there + 60
  await eventually('packets both ways', anew, WITHIN)
  await Promise.all([call.audio.hears(far.audio.tone, WITHIN), far.audio.hears(call.audio.tone, WITHIN)])
}

async function everyCdr(): Promise<Cdr[]> {
  return (await platform.get<{ cdrs: Cdr[] }>('/api/v1/cdrs?limit=500')).cdrs
}

test('an edge is killed under 52 calls: another has them within 5 s, audio is heard again, either side hangs up, each leg has one record', {
  skip,
}, async () => {
  const bob = await startPhone({
    name: 'bob',
    server: `udp://${DOOMED}:${platform.ports.inside}`,
    password: platform.secrets.BOB_PASSWORD as string,
    domain: 'acme.example',
  })
  phones.push(bob)
  await bob.register()
  const talks: Talk[] = []
  for (let n = 0; n < AUDIO_CALLS; n++) talks.push(await talk(bob, `180055501${n}0`))
  const halves = [await dial(false), await dial(true)]
  const all = SIPP_CALLS + AUDIO_CALLS
  await eventually(`${all} calls at ${DOOMED}`, async () => (await callsAt(doomed.health)) === all, WITHIN)
  assert.equal(await callsAt(survivor), 0)
  await pause(3000)

  await doomed.kill()
  const killed = performance.now()
  await eventually(`${all} calls at ${SURVIVOR}`, async () => (await callsAt(survivor)) === all, WITHIN)
  const adopted = performance.now() - killed
  assert.ok(adopted < whenBusy(5000), `taken over after ${Math.round(adopted)} ms`)
  await Promise.all(talks.map(hearing))
  const heard = performance.now() - killed
  assert.ok(heard < whenBusy(8000), `audio after ${Math.round(heard)} ms`)
  const [first, second] = talks as [Talk, Talk]
  assert.equal(first.call.audio.from?.startsWith(`${SURVIVOR}:`), true, 'audio comes from the edge that lives')

  // the dead one is back, at its own address and with its disk: the calls are not its any more
  doomed = await startMoreEdge(platform, 'edge-b', DOOMED, CLUSTER)
  assert.equal(await first.call.hold(), 200)
  await eventually('the far end is held', async () => first.far.held, WITHIN)
  assert.equal(await first.call.resume(), 200)
  await hearing(second)
  assert.equal(await callsAt(doomed.health), 0)

  await first.call.hangUp()
  assert.deepEqual(await first.far.ended, { by: 'peer', why: 'hung-up' })
  await second.far.hangUp()
  assert.deepEqual(await second.call.ended, { by: 'peer', why: 'hung-up' })
  for (const { caller, carrier } of halves) {
    const { successful, failed, errors } = await caller.done
    assert.deepEqual([successful, failed], [SIPP_CALLS / 2, 0], errors)
    await carrier.stop()
  }
  await eventually('no call is left', async () => (await callsAt(survivor)) === 0, WITHIN)

  const cdrs = await eventually(
    `${2 * all} leg records`,
    async () => {
      const found = await everyCdr()
      if (found.length < 2 * all) throw new Error(`${found.length} leg records`)
      return found
    },
    120_000,
  )
  assert.equal(cdrs.length, 2 * all)
  assert.equal(new Set(cdrs.map((c) => c.legId)).size, 2 * all)
  const byCall = Map.groupBy(cdrs, (c) => c.callId)
  assert.equal(byCall.size, all)
  for (const legs of byCall.values()) {
    assert.deepEqual(legs.map((l) => l.party.kind).sort(), ['trunk', 'user'])
    const [one, other] = legs as [Cdr, Cdr]
    assert.equal(one.estimated, false)
    assert.ok(one.durationMs > 5000, `${one.durationMs} ms`)
    assert.ok(Math.abs(one.durationMs - other.durationMs) < 1000, `${one.durationMs} and ${other.durationMs} ms`)
    assert.equal(one.endedBy, other.endedBy)
  }
  const ended = Map.groupBy([...byCall.values()], ([leg]) => (leg as Cdr).endedBy)
  assert.deepEqual([ended.get('caller')?.length, ended.get('callee')?.length], [all / 2, all / 2])
})
