import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { EmergencyAttempted, EmergencyEnded, EmergencyStarted } from '@tandem/contracts/emergency.ts'
import { parsePidfLo } from '@tandem/pidf/pidf-lo.ts'
import { startPhone } from '@tandem/testing/phone.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type CallEdge, plan, reject, startCallEdge, toTrunk } from './call-edge.ts'

let house: CallEdge
const told: { what: string; body: Record<string, unknown> }[] = []

before(async () => {
  house = await startCallEdge({
    document: {
      sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq', location: 'hq-lobby' } },
      emergency: {
        numbers: ['911', '112'],
        test: ['933'],
        trunks: ['itsp-a', 'itsp-b'],
        relayCentre: '+18005550911',
        desk: ['sip:bob@acme.example'],
        timers: { noResponse: '500ms', tryingOnly: '1s' },
      },
    },
  })
  const console = await house.edge.nats.bus('console')
  console.hear(EmergencyStarted, (body) => void told.push({ what: 'started', body }))
  console.hear(EmergencyAttempted, (body) => void told.push({ what: 'attempted', body }))
  console.hear(EmergencyEnded, (body) => void told.push({ what: 'ended', body }))
  await console.flush()
})
after(async () => {
  await house.close()
})

const located = {
  kind: 'found' as const,
  place: { ref: 'hq-2-201', civic: { country: 'US', A1: 'WA', A3: 'Redmond', HNO: '15010', RD: '36th', ROOM: '201' } },
  source: 'port' as const,
  confidence: 1,
  determinedAt: '2026-01-01T00:00:00.000Z',
  routeClass: 'direct' as const,
  user: 'alice',
  callback: '+14255551001',
}

function pidfOf(body: string) {
  const xml = /<\?xml.*<\/presence>/s.exec(body)?.[0]
  const read = parsePidfLo(xml ?? '')
  return read
}

test('911 carries the address, the callback number and the number as dialled', async () => {
  told.length = 0
  house.locate(located)
  house.route((q) =>
    plan([toTrunk('itsp-a', '+1911', { calling: '+14255551001' })], { emergency: true, dialled: q.dialled }),
  )
  const call = await house.alice.call('911')
  await call.answered
  const invite = await house.itspA.nextInvite()
  const { headers } = invite.request
  assert.equal(invite.number, '911')
  assert.equal(headers.get('p-asserted-identity'), '"alice" <sip:+14255551001@acme.example>')
  assert.match(headers.get('content-type') ?? '', /^multipart\/mixed;boundary=/)
  const cid = /<cid:([^>]+)>/.exec(headers.get('geolocation') ?? '')?.[1]
  assert.ok(cid)
  assert.ok(invite.body.includes(`Content-ID: <${cid}>`))
  assert.equal(headers.get('geolocation-routing'), 'yes')
  assert.match(invite.body, /application\/sdp/)
  assert.match(invite.body, /<ca:ROOM>201<\/ca:ROOM>|ROOM>201</)
  assert.ok(pidfOf(invite.body))
  await call.audio.hears(house.itspA.tone)
  await call.hangUp()
  await house.ended(2)
  const started = told.find((t) => t.what === 'started')
  assert.equal(started?.body.user, 'alice')
  assert.deepEqual(started?.body.standingOrder, [])
  assert.deepEqual((started?.body.place as { ref?: string } | undefined)?.ref, 'hq-2-201')
  assert.ok(told.some((t) => t.what === 'attempted' && t.body.outcome === 'answered'))
  assert.ok(told.some((t) => t.what === 'ended' && t.body.answered === true))
})

test('prefix and 911 is 911, and a router that rejects cannot stop it', async () => {
  house.locate(located)
  house.route(() => reject(403, 'no'))
  const call = await house.alice.call('9911')
  await call.answered
  assert.equal((await house.itspA.nextInvite()).number, '911')
  await call.hangUp()
})

test('the first trunk is silent, the second refuses: every rung is climbed, to the relay centre', async () => {
  house.locate(located)
  house.route(() => undefined)
  house.itspA.setPhone('911', 'silent')
  house.itspB.setPhone('911', { status: 486 })
  const call = await house.alice.call('911')
  await call.answered
  const relayed = await house.itspA.nextInvite((i) => i.number === '+18005550911')
  assert.match(relayed.body, /ROOM>201</)
  await call.hangUp()
  house.itspA.setPhone('911', 'answer')
  house.itspB.setPhone('911', 'answer')
})

test('no trunk is left: the desk rings', async () => {
  house.locate(located)
  house.itspA.setBehaviour({ status: 503 })
  house.itspB.setBehaviour({ status: 603 })
  house.itspA.setPhone('911', { status: 503 })
  house.itspB.setPhone('911', { status: 603 })
  const call = await house.alice.call('911')
  const desk = await house.bob.nextCall()
  await desk.answer()
  await call.answered
  await call.hangUp()
  for (const itsp of [house.itspA, house.itspB]) {
    itsp.setBehaviour('answer')
    itsp.setPhone('911', 'answer')
  }
})

test('a phone that nobody registered may dial 911 from inside a site, and nothing else', async () => {
  house.locate(undefined)
  house.route(() => undefined)
  const server = `udp://127.0.0.1:${house.edge.port('inside')}`
  const stranger = await startPhone({ name: 'stranger', server, domain: 'acme.example' })
  const call = await stranger.call('911')
  await call.answered
  const invite = await house.itspA.nextInvite((i) => i.number === '911')
  assert.match(invite.body, /RD>36th</)
  await call.hangUp()
  const other = await stranger.call('912065550100')
  await assert.rejects(other.answered)
  await stranger.close()
})

test('a description that nobody can read, or a session interval too small, does not stop 911', async () => {
  house.locate(located)
  house.route(() => undefined)
  const call = await house.alice.call('911', { headers: [['Session-Expires', '10']] })
  await call.answered
  await call.hangUp()
  const bare = await house.alice.call('911', { offer: false })
  await bare.answered
  const invite = await house.itspA.nextInvite((i) => !i.body.includes('m=audio'))
  assert.match(invite.body, /ROOM>201</, 'the place goes also without a description')
  await bare.hangUp()
})

test('a requirement that nobody knows does not stop 911, only other calls', async () => {
  house.locate(located)
  house.route((q) => plan([toTrunk('itsp-a', '+1911')], { emergency: true, dialled: q.dialled }))
  const call = await house.alice.call('911', { headers: [['Require', 'foo']] })
  await call.answered
  const { request } = await house.itspA.nextInvite()
  assert.equal(request.headers.get('require'), undefined)
  await call.hangUp()
  const refused = await house.alice.call('912065550100', { headers: [['Require', 'foo']] })
  assert.equal((await refused.ended).status, 420)
})

test('with router, location service and the whole bus away 911 goes out within a second', async () => {
  told.length = 0
  await house.edge.nats.crash()
  const before = performance.now()
  const call = await house.alice.call('911')
  const invite = await house.itspA.nextInvite((i) => i.number === '911')
  assert.ok(performance.now() - before < whenBusy(1000))
  assert.match(invite.body, /RD>36th</, 'the address of the site it is in')
  await call.answered
  await call.hangUp()
  const normal = performance.now()
  const refused = await house.alice.call('912065550100')
  await assert.rejects(refused.answered, /503/)
  assert.ok(performance.now() - normal < whenBusy(1000))
  assert.match(refused.responses.at(-1)?.headers.get('retry-after') ?? '', /^\d+$/)
  await house.edge.nats.start()
})
