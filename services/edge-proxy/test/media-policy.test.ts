/** What the configuration says of media, in calls through the edge: keys, codecs, neighbours. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import { mediaPolicy } from '../src/domain/media-policy.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { testConfiguration } from './start-edge.ts'

const near = { address: '127.0.0.1', behindNat: false }

describe('keys of a leg', () => {
  const document = testConfiguration({
    trunks: {
      secure: { to: ['sip:192.0.2.1'], from: ['192.0.2.1'], listener: 'carrier', srtp: 'required' },
      plain: { to: ['sip:192.0.2.2'], from: ['192.0.2.2'], listener: 'carrier' },
    },
  })
  document.edge.listen.remote = { url: 'tls://127.0.0.1:0', certificate: 'a.pem', privateKey: 'a.key' }
  const bob = document.users?.bob
  if (bob) document.users = { ...document.users, bob: { ...bob, srtp: 'required' } }
  const config = resolveConfiguration(document)
  const keying = (party: Parameters<typeof mediaPolicy>[1], listener: string) =>
    mediaPolicy(config, party, listener, near).keying

  test('are those of the trunk or the user, else of the listener: optional over TLS, off elsewhere', () => {
    assert.equal(keying({ kind: 'trunk', trunk: 'secure' }, 'carrier'), 'required')
    assert.equal(keying({ kind: 'trunk', trunk: 'plain' }, 'carrier'), 'off')
    assert.equal(keying({ kind: 'user', user: 'bob' }, 'inside'), 'required')
    assert.equal(keying({ kind: 'user', user: 'alice' }, 'inside'), 'off')
    assert.equal(keying({ kind: 'user', user: 'alice' }, 'remote'), 'optional')
    assert.equal(keying({ kind: 'unknown', address: '192.0.2.9' }, 'remote'), 'optional')
  })
})

describe('calls', () => {
  let house: CallEdge
  before(async () => {
    house = await startCallEdge({
      trunks: {
        'itsp-a': { codecs: { allow: ['PCMA', 'PCMU'], order: ['PCMU'] }, mediaBypass: true },
        'itsp-b': { srtp: 'required', codecs: { allow: ['AMR'] } },
      },
      document: { sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq', mediaBypass: true } } },
    })
  })
  after(async () => {
    await house.close()
  })

  test('a trunk is offered its codecs in its order, and a carrier on another listener never hears an inside address', async () => {
    house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
    const invited = house.itspA.nextInvite((i) => i.call !== undefined)
    const call = await house.alice.call('912065550100')
    await call.answered
    const { body } = await invited
    assert.match(body, /^m=audio \d+ RTP\/AVP 0 /m)
    await call.audio.hears(house.itspA.tone)
    await call.hangUp()
    const records = await house.ended(2)
    assert.ok(
      records.every(({ media }) => (media?.received.packets ?? 0) > 0),
      'through the edge',
    )
  })

  test('two users of a site with media bypass talk past the edge, hold and resume, and are not hung up on for silence', async () => {
    house.route(() => plan([toUser('bob')], { callee: { user: 'bob' } }))
    const call = await house.alice.call('1002')
    const rung = await house.bob.nextCall()
    await rung.answer()
    await call.answered
    await call.audio.hears(house.bob.tone)
    await rung.audio.hears(house.alice.tone)
    assert.equal(await call.hold(), 200)
    assert.equal(await call.resume(), 200)
    await call.hangUp()
    for (const { media } of await house.ended(2)) assert.equal(media?.received.packets ?? 0, 0, 'nothing to count')
  })

  test('a trunk that has no codec in common is not asked: 488', async () => {
    house.route(() => plan([toTrunk('itsp-b', '12065550100')]))
    const asked = house.itspB.received.length
    const call = await house.alice.call('912065550100')
    await assert.rejects(call.answered, /488/)
    assert.equal(house.itspB.received.length, asked)
  })

  test('a call for help goes out on that trunk all the same', async () => {
    house.route(({ dialled }) => plan([toTrunk('itsp-b', '911')], { emergency: true, dialled }))
    const invited = house.itspB.nextInvite()
    const call = await house.alice.call('911')
    assert.match((await invited).body, /^m=audio \d+ RTP\/SAVP /m)
    await call.hangUp()
  })
})
