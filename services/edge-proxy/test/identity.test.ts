/** Who is this? (edge.md E2) Listener, address, transport, certificate and digest tell; no header does. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import type { Calls, Peer } from '../src/edge.ts'
import { type RawPeer, rawPeer, requestOf, withCredentials } from './raw-peer.ts'
import { noCalls, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

const PBX = { user: 'pbx', password: 'pbx-secret' }
let edge: TestEdge
const peers: Peer[] = []

before(async () => {
  const base = testConfiguration()
  const to = ['sip:127.0.0.1:9']
  const options = { interval: '1h' }
  edge = await startEdgeForTest({
    env: { PBX_PASSWORD: PBX.password, TWIN_PASSWORD: 'twin-secret' },
    createCalls: (): Calls => ({
      ...noCalls(),
      onInvite(transaction, _wire, peer) {
        peers.push(peer)
        transaction.reply(486)
      },
    }),
    document: testConfiguration({
      edge: {
        ...base.edge,
        listen: {
          ...base.edge.listen,
          open: { url: 'udp://127.0.0.1:0' },
          'remote-tcp': { url: 'tcp://127.0.0.1:0' },
        },
      },
      trunks: {
        'itsp-a': { to, from: ['127.0.0.21'], listener: 'carrier', options },
        'itsp-b': { to, from: ['127.0.0.22'], listener: 'carrier', options, hosts: ['b.acme.example'] },
        strict: {
          to,
          from: ['127.0.0.23'],
          listener: 'carrier',
          options,
          authenticate: { ...PBX, password: { env: 'PBX_PASSWORD' }, digest: ['sha-256'] },
        },
        'twin-1': {
          to,
          from: ['127.0.0.24'],
          listener: 'carrier',
          options,
          authenticate: { user: 'one', password: { env: 'PBX_PASSWORD' } },
        },
        'twin-2': {
          to,
          from: ['127.0.0.24'],
          listener: 'carrier',
          options,
          authenticate: { user: 'two', password: { env: 'TWIN_PASSWORD' } },
        },
        roaming: { to, listener: 'open', options, authenticate: { ...PBX, password: { env: 'PBX_PASSWORD' } } },
      },
      users: {
        ...base.users,
        bob: { ...base.users.bob, password: { env: 'BOB_PASSWORD' }, digest: ['md5'] } as never,
      },
    }),
  })
})
after(() => edge.close())

const from = (address: string, listener = 'carrier', transport: 'UDP' | 'TCP' = 'UDP') =>
  rawPeer(transport, { port: edge.port(listener) }, { from: address })
const invite = (peer: RawPeer, headers: [string, string][] = []) =>
  requestOf(peer, 'INVITE', { uri: 'sip:+14255551001@127.0.0.1', user: '+12065550100', headers })

const A = '127.0.0.21'
/** What a stranger, or carrier B, may write to look like carrier A. */
const forged: [name: string, headers: [string, string][], via?: string][] = [
  ['nothing', []],
  ['received in Via', [], `127.0.0.99:5060;received=${A}`],
  ['received and rport in Via', [], `127.0.0.99:5060;rport=5060;received=${A}`],
  ['sent-by of Via', [], `${A}:5060;rport`],
  ['maddr in Via', [], `127.0.0.99:5060;maddr=${A}`],
  ['X-Forwarded-For', [['X-Forwarded-For', A]]],
  ['X-Real-IP', [['X-Real-IP', A]]],
  [
    'X-Src-IP and X-Source-Address',
    [
      ['X-Src-IP', A],
      ['X-Source-Address', `${A}:5060`],
    ],
  ],
  [
    'X-Trunk and X-Carrier',
    [
      ['X-Trunk', 'itsp-a'],
      ['X-Carrier', 'itsp-a'],
    ],
  ],
  ['Record-Route', [['Record-Route', `<sip:${A};lr>`]]],
  ['P-Asserted-Identity', [['P-Asserted-Identity', `<sip:+14255551001@${A}>`]]],
  ['P-Preferred-Identity', [['P-Preferred-Identity', `<sip:alice@${A}>`]]],
  ['Remote-Party-ID', [['Remote-Party-ID', `<sip:alice@${A}>;party=calling`]]],
  [
    'P-Received and P-Source-Device',
    [
      ['P-Received', A],
      ['P-Source-Device', A],
    ],
  ],
  ['Diversion', [['Diversion', `<sip:+14255551001@${A}>`]]],
  ['History-Info', [['History-Info', `<sip:+14255551001@${A}>;index=1`]]],
  ['Referred-By', [['Referred-By', `<sip:alice@${A}>`]]],
  [
    'User-Agent and Organization',
    [
      ['User-Agent', 'itsp-a'],
      ['Organization', 'itsp-a'],
    ],
  ],
  ['P-Visited-Network-ID', [['P-Visited-Network-ID', 'itsp-a']]],
  ['P-Access-Network-Info', [['P-Access-Network-Info', `IEEE-802.11;network-provided="${A}"`]]],
  [
    'a name of another realm',
    [['Authorization', 'Digest username="itsp-a", realm="x", nonce="n", uri="sip:a", response="0"']],
  ],
]

const send = (peer: RawPeer, headers: [string, string][], via: string | undefined): Promise<SipResponse> => {
  const written = via && `SIP/2.0/UDP ${via.replace('127.0.0.99:5060', `${peer.address}:${peer.port}`)}`
  return peer.ask(
    invite(peer, headers),
    written === undefined ? {} : { via: `${written};branch=z9hG4bK${Math.random()}` },
  )
}

for (const [i, [name, headers, via]] of forged.entries()) {
  test(`a stranger that writes ${name} stays a stranger, and one carrier stays itself`, async () => {
    // a fresh address each time: who knocks often is banned
    const stranger = await from(`127.0.1.${i + 1}`)
    const b = await from('127.0.0.22')
    // maddr and a forged sent-by lead the answer elsewhere over UDP at most by port: rport asks for it here
    const reachable = (v: string | undefined) => (v === undefined || v.includes('rport') ? v : `${v};rport`)
    assert.equal((await send(stranger, headers, reachable(via))).status, 403)
    assert.equal((await send(b, headers, reachable(via))).status, 486)
    assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk: 'itsp-b' })
    stranger.close()
    b.close()
  })
}

test('From, To, Contact and the Request-URI of another carrier change nothing', async () => {
  const b = await from('127.0.0.22')
  const request = requestOf(b, 'INVITE', {
    uri: `sip:itsp-a@${A}`,
    user: 'itsp-a',
    to: `<sip:itsp-a@${A}>`,
    contact: `<sip:itsp-a@${A}:5060>`,
  })
  assert.equal((await b.ask(request)).status, 486)
  assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk: 'itsp-b' })
  b.close()
})

test('the address of a carrier on another listener, or by another transport, is no carrier', async () => {
  for (const [listener, transport] of [
    ['inside', 'UDP'],
    ['remote-tcp', 'TCP'],
  ] as const) {
    const peer = await from(A, listener, transport)
    assert.equal((await peer.ask(invite(peer))).status, 407, listener)
    peer.close()
  }
})

test('a trunk that wants a digest besides its address gets it, by its own algorithms and no others', async () => {
  const peer = await from('127.0.0.23')
  const request = invite(peer)
  const challenge = await peer.ask(request)
  assert.equal(challenge.status, 407)
  assert.deepEqual(
    challenge.headers.getAll('proxy-authenticate').map((c) => /algorithm=([\w-]+)/.exec(c)?.[1]),
    ['SHA-256'],
  )
  assert.equal((await peer.ask(withCredentials(request, challenge, PBX))).status, 486)
  assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk: 'strict' })
  const replay = await peer.ask(withCredentials(request, challenge, PBX, { cseq: 3 }))
  assert.equal(replay.status, 407)
  assert.match(replay.headers.get('proxy-authenticate') ?? '', /stale=true/)
  const wrong = await peer.ask(withCredentials(request, replay, { user: 'pbx', password: 'guess' }, { cseq: 4 }))
  assert.equal(wrong.status, 407)
  const downgraded = [...wrong.headers.getAll('proxy-authenticate')].map((c) => c.replace('SHA-256', 'MD5'))
  const answer = { ...wrong, headers: wrong.headers.clone() }
  answer.headers.remove('proxy-authenticate')
  for (const c of downgraded) answer.headers.append('Proxy-Authenticate', c)
  assert.equal((await peer.ask(withCredentials(request, answer, PBX, { cseq: 5 }))).status, 407, 'no down-grade')
  peer.close()
})

test('two carriers on one address are told apart by their digest user', async () => {
  for (const [user, password, trunk] of [
    ['one', PBX.password, 'twin-1'],
    ['two', 'twin-secret', 'twin-2'],
  ] as const) {
    const peer = await from('127.0.0.24')
    const request = invite(peer)
    const challenge = await peer.ask(request)
    assert.equal(challenge.status, 407)
    assert.equal((await peer.ask(withCredentials(request, challenge, { user, password }))).status, 486)
    assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk })
    peer.close()
  }
})

test('a trunk without `from` is known by its digest from anywhere, and a user of ours is none', async () => {
  const peer = await from('127.0.0.77', 'open')
  const request = invite(peer)
  const challenge = await peer.ask(request)
  assert.equal(challenge.status, 407)
  assert.equal((await peer.ask(withCredentials(request, challenge, PBX))).status, 486)
  assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk: 'roaming' })
  const stranger = await from('127.0.0.78', 'open')
  const again = invite(stranger)
  const asked = await stranger.ask(again)
  assert.equal(
    (await stranger.ask(withCredentials(again, asked, { user: 'alice', password: 'alice-secret' }))).status,
    407,
  )
  peer.close()
  stranger.close()
})

test('a user with algorithms of its own is offered these', async () => {
  const peer = await from('127.0.0.1', 'inside')
  const challenge = await peer.ask(requestOf(peer, 'REGISTER', { user: 'bob' }))
  assert.deepEqual(
    challenge.headers.getAll('www-authenticate').map((c) => /algorithm=([\w-]+)/.exec(c)?.[1]),
    ['MD5'],
  )
  peer.close()
})
