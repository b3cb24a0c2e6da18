/** Transfers that the other side is asked to carry out: `transfer: forward` (docs/adr/0060). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CallEdge, plan, reject, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { testConfiguration } from './start-edge.ts'

let house: CallEdge

before(async () => {
  const { policies } = testConfiguration()
  const passing = Object.fromEntries(Object.entries(policies).map(([name, p]) => [name, { ...p, transfer: 'forward' }]))
  house = await startCallEdge({ document: { policies: passing } as never })
})
after(async () => {
  await house.close()
})

test('the carrier gets a REFER of ours with the number as its trunk wants it; its NOTIFYs come back as status lines', async () => {
  house.route((q) => (q.dialled.startsWith('900') ? reject(403, 'not that') : plan([toTrunk('itsp-a', q.dialled)])))
  const alice = await house.alice.call('12065550171')
  await alice.answered
  const far = (await house.itspA.nextInvite((i) => i.number === '12065550171' && i.call !== undefined)).call
  assert.ok(far)
  assert.equal((await alice.transfer('sip:9001@acme.example')).status, 403, 'what the router refuses is not passed on')
  assert.equal((await alice.transfer('sip:12065550172@acme.example')).status, 202)
  const refer = far.requests.find((r) => r.method === 'REFER')
  assert.match(
    refer?.headers.get('refer-to') ?? '',
    new RegExp(`^<sip:12065550172@127\\.0\\.0\\.1:${house.itspA.port}>$`),
  )
  assert.match(refer?.headers.get('referred-by') ?? '', /@acme\.example>$/)
  assert.ok(
    !JSON.stringify([...(refer?.headers.entries() ?? [])]).includes(String(house.alice.port)),
    'no address of the phone',
  )
  const told = (status: string, state: string) =>
    far.send('NOTIFY', `SIP/2.0 ${status}\r\nVia: SIP/2.0/UDP secret.example\r\n`, 'message/sipfrag', [
      ['Event', 'refer'],
      ['Subscription-State', state],
    ])
  assert.equal((await told('180 Ringing', 'active;expires=60')).status, 200)
  assert.equal((await told('200 OK', 'terminated;reason=noresource')).status, 200)
  assert.equal(await alice.transferred(), 200)
  const bodies = alice.requests.filter((r) => r.method === 'NOTIFY').map((r) => new TextDecoder().decode(r.body))
  assert.deepEqual(bodies, ['SIP/2.0 180 Ringing\r\n', 'SIP/2.0 200 OK\r\n'])
  await alice.hangUp()
  await far.ended
})

test('attended: whoever comes with the Replaces that was passed on takes the place of the transferor', async () => {
  house.route((q) => (q.dialled === '1002' ? plan([toUser('bob')]) : plan([toTrunk('itsp-a', q.dialled)])))
  const first = await house.alice.call('1002')
  const bob = await house.bob.nextCall()
  await bob.answer()
  await first.answered
  const second = await house.alice.call('12065550173')
  await second.answered
  assert.equal((await first.transfer('sip:12065550173@acme.example', { instead: second })).status, 202)
  const to = bob.requests.find((r) => r.method === 'REFER')?.headers.get('refer-to') ?? ''
  const replaces = decodeURIComponent(/\?Replaces=([^>]+)>/.exec(to)?.[1] ?? '')
  const taken = await house.bob.call('12065550173', { headers: [['Replaces', replaces]] })
  await taken.answered
  assert.equal((await second.ended).by, 'peer')
  await taken.audio.hears(house.itspA.tone)
  await taken.hangUp()
  await first.hangUp()
})
