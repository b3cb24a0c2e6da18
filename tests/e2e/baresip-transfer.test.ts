/** A phone that we did not write transfers its caller: baresip of Debian sends the REFER (RFC 3515). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plan, startCallEdge, toTrunk, toUser } from '../../services/edge-proxy/test/call-edge.ts'
import { PASSWORDS } from '../../services/edge-proxy/test/start-edge.ts'
import { baresipMissing, startBaresip } from './baresip.ts'

test('baresip sends its caller on: the other two talk, and its own call ends', { skip: baresipMissing() }, async () => {
  const house = await startCallEdge({ listeners: { inside: { url: 'udp://127.0.0.1:0', digest: ['md5'] } } })
  await house.bob.unregister()
  const bob = await startBaresip({
    ...{ user: 'bob', password: PASSWORDS.BOB_PASSWORD, domain: 'acme.example', transport: 'udp' },
    server: `127.0.0.1:${house.edge.port('inside')}`,
  })
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
