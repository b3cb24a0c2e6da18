/**
 * Phones that we did not write transfer: baresip of Debian sends its caller on (RFC 3515); sipp puts two calls together, which
 * baresip 1.0 cannot (RFC 5589 7.3), and baresip is who was asked.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { plan, startCallEdge, toTrunk, toUser } from '../../services/edge-proxy/test/call-edge.ts'
import { PASSWORDS } from '../../services/edge-proxy/test/start-edge.ts'
import { baresipMissing, startBaresip } from './baresip.ts'
import { eventually } from './platform.ts'
import { findSipp, startSipp } from './sipp.ts'

/** A house whose bob is a baresip. */
async function withBaresip() {
  const house = await startCallEdge({ listeners: { inside: { url: 'udp://127.0.0.1:0', digest: ['md5'] } } })
  await house.bob.unregister()
  const server = `127.0.0.1:${house.edge.port('inside')}`
  const bob = await startBaresip({
    ...{ user: 'bob', password: PASSWORDS.BOB_PASSWORD, domain: 'acme.example', transport: 'udp', server },
  })
  return { house, bob, server }
}

test('baresip sends its caller on: the other two talk, and its own call ends', { skip: baresipMissing() }, async () => {
  const { house, bob } = await withBaresip()
  try {
    house.route(({ dialled }) =>
      dialled === '+14255551002'
        ? plan([toUser('bob')], { caller: { number: '+12065550177' }, callee: { user: 'bob' } })
        : plan([toTrunk('itsp-a', dialled)], { caller: { number: '+12065550177' } }),
    )
    const call = await house.itspB.call({ from: '+12065550177', to: '+14255551002' })
    await bob.next('CALL_INCOMING')
    await bob.command('accept')
    await call.answered
    await bob.next('CALL_ESTABLISHED')
    await bob.command('transfer', 'sip:12065550190@acme.example')
    const there = await house.itspA.nextInvite((i) => i.number === '12065550190' && i.call !== undefined)
    await call.audio.hears(house.itspA.tone)
    await there.call?.audio.hears(house.itspB.tone)
    await bob.next('CALL_CLOSED')
    assert.equal(house.questions.at(-1)?.onBehalfOf, 'bob')
    await call.hangUp()
    await there.call?.ended
    const records = await house.ended(3)
    assert.equal(records.find((r) => r.party.kind === 'user')?.reason, 'transferred', bob.log())
  } finally {
    await bob.stop()
    await house.close()
  }
})

/** So much of the carrier that the tone is in the file of baresip: a fifth of a second has to be. */
async function heardOf(carrier: CallHandle | undefined): Promise<void> {
  const before = carrier?.audio.packetsSent ?? 0
  await eventually('a second of the carrier', async () => (carrier?.audio.packetsSent ?? 0) >= before + 50)
}

const noSipp = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false

test('RFC 5589 7.3: sipp asks baresip and puts its carrier through: both hear each other, and each of four legs has one record', {
  skip: baresipMissing() || noSipp,
}, async () => {
  const { house, bob, server } = await withBaresip()
  await house.alice.unregister()
  const alice = {
    ...{ user: 'alice', password: PASSWORDS.ALICE_PASSWORD, target: server, localPort: await steadyPort(), calls: 1 },
    ...{ keys: { first: '12065550191', second: '1002' }, timeout: 40, more: ['-cid_str', '%u-%p'] },
  }
  const sipp = async (scenario: string) => await (await startSipp({ ...alice, scenario })).done
  try {
    const registered = await sipp('user-registers.xml')
    assert.equal(registered.code, 0, registered.errors)
    house.route(({ dialled }) =>
      dialled === '1002' ? plan([toUser('bob')], { callee: { user: 'bob' } }) : plan([toTrunk('itsp-a', dialled)]),
    )
    const transferred = sipp('transfers-attended.xml')
    const there = (await house.itspA.nextInvite((i) => i.number === '12065550191' && i.call !== undefined, 30_000)).call
    await bob.next('CALL_INCOMING')
    await bob.command('accept')
    const ended = await transferred
    assert.deepEqual([ended.successful, ended.failed], [1, 0], ended.errors)
    await there?.audio.hears(bob.tone)
    assert.equal(there?.held, false, 'the hold before the transfer is over')
    await heardOf(there)
    await bob.command('hangup')
    assert.equal((await there?.ended)?.by, 'peer')
    const legs = () => house.records.filter((r) => r.joined !== undefined)
    await eventually('four records', async () => legs().length >= 4)
    assert.equal(new Set(legs().map((r) => r.legId)).size, 4)
    assert.deepEqual(
      legs()
        .filter((r) => r.reason === 'transferred')
        .map((r) => r.party),
      [
        { kind: 'user', user: 'alice' },
        { kind: 'user', user: 'alice' },
      ],
    )
    await eventually('baresip has heard the carrier', async () => await bob.heard(house.itspA.tone))
  } finally {
    await bob.stop()
    await house.close()
  }
})

test('RFC 5589 7.6: baresip still rings when its caller puts somebody through: it rings again for him, and they hear each other', {
  skip: baresipMissing(),
}, async () => {
  const { house, bob } = await withBaresip()
  try {
    house.route(({ dialled }) =>
      dialled === '1002' ? plan([toUser('bob')], { callee: { user: 'bob' } }) : plan([toTrunk('itsp-a', dialled)]),
    )
    const first = await house.alice.call('12065550192')
    await first.answered
    const there = (await house.itspA.nextInvite((i) => i.number === '12065550192' && i.call !== undefined)).call
    const second = await house.alice.call('1002')
    await bob.next('CALL_INCOMING')
    await second.ringing
    await first.transfer('sip:1002@acme.example', { instead: second })
    await bob.next('CALL_INCOMING')
    await bob.command('accept')
    assert.equal(await first.transferred(20_000), 200, bob.log())
    await there?.audio.hears(bob.tone)
    await heardOf(there)
    await there?.hangUp()
    await eventually('baresip has heard the carrier', async () => await bob.heard(house.itspA.tone))
  } finally {
    await bob.stop()
    await house.close()
  }
})
