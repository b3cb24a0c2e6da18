import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import { type CertificateAuthority, makeAuthority } from '@tandem/testing/certificates.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { namesOne, sipIdentities } from '../src/domain/sip-identity.ts'
import type { Peer } from '../src/edge.ts'
import { rawPeer, requestOf } from './raw-peer.ts'
import { noCalls, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

/** Outside every site: nobody there is known by his address. */
const OUTSIDE = '127.0.0.2'

let folder: string
let nats: PrivateNats
let edge: TestEdge
let ours: CertificateAuthority
let carriers: CertificateAuthority
let strangers: CertificateAuthority
let shown: { certificate: string; privateKey: string }
const peers: Peer[] = []

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-tls-'))
  ours = await makeAuthority(folder, 'our-ca')
  carriers = await makeAuthority(folder, 'carrier-ca')
  strangers = await makeAuthority(folder, 'stranger-ca')
  shown = await ours.issue('edge', 'DNS:acme.example')
  await ours.issue('other', 'DNS:sip.other.example')
  await carriers.issue('sbc', 'URI:sip:carrier.example,DNS:host.carrier.example')
  nats = await startPrivateNats()
  edge = await startEdgeForTest({
    nats,
    document: configuration(),
    createCalls: () => ({
      ...noCalls(),
      onInvite(transaction, _wire, peer) {
        peers.push(peer)
        transaction.reply(486)
      },
    }),
  })
})
after(async () => {
  await edge?.close()
  await nats?.close()
  await rm(folder, { recursive: true, force: true })
})

function configuration(trunk: Partial<ConfigurationDocument['trunks'][string]> = {}): ConfigurationDocument {
  const document = testConfiguration()
  const pair = { certificate: join(folder, 'edge.pem'), privateKey: join(folder, 'edge.key') }
  const other = { certificate: join(folder, 'other.pem'), privateKey: join(folder, 'other.key') }
  return {
    ...document,
    edge: {
      ...document.edge,
      listen: {
        ...document.edge.listen,
        remote: { url: 'tls://127.0.0.1:0', ...pair, certificates: [{ host: 'sip.other.example', ...other }] },
        closed: { url: 'tls://127.0.0.1:0', ...pair, clients: { ca: ours.file } },
        carriers: { url: 'tls://127.0.0.1:0', ...pair },
      },
    },
    trunks: {
      secure: {
        to: ['sips:carrier.example:1'],
        listener: 'carriers',
        tls: { ca: carriers.file, names: ['carrier.example'], clientCertificate: 'required', ...pair },
        ...trunk,
      },
    },
  }
}

/** Opens TLS to a listener and gives the socket, or the error that ended it. */
function open(listener: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((done, fail) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port: edge.port(listener), localAddress: OUTSIDE, rejectUnauthorized: false },
      ...options,
    } as ConnectionOptions)
    socket.once('secureConnect', () => done(socket))
    socket.once('error', fail)
  })
}

const shownBy = async (listener: string, servername?: string): Promise<string | undefined> => {
  const socket = await open(listener, servername ? { servername } : {})
  const names = socket.getPeerCertificate().subjectaltname
  socket.destroy()
  return names
}

const pair = (name: string) => ({
  cert: readFileSync(join(folder, `${name}.pem`)),
  key: readFileSync(join(folder, `${name}.key`)),
})

/** The status of an INVITE over TLS with this certificate, and who the edge took us for. */
async function invite(certificate: object | undefined): Promise<{ status: number; peer: Peer | undefined }> {
  peers.length = 0
  const peer = await rawPeer('TLS', { port: edge.port('carriers') }, { from: OUTSIDE, tls: certificate ?? {} })
  const answer = await peer.ask(requestOf(peer, 'INVITE', { uri: 'sip:+14255551001@acme.example' }))
  peer.close()
  return { status: answer.status, peer: peers[0] }
}

test('the host name that a client asks for chooses the certificate; any other gets the first', async () => {
  assert.equal(await shownBy('remote', 'sip.other.example'), 'DNS:sip.other.example')
  assert.equal(await shownBy('remote', 'SIP.Other.Example'), 'DNS:sip.other.example')
  assert.equal(await shownBy('remote', 'nobody.example'), 'DNS:acme.example')
  assert.equal(await shownBy('remote'), 'DNS:acme.example')
})

test('a listener that requires certificates lets in who has one of its CA, and nobody else', async () => {
  const served = async (tls: object) => {
    const peer = await rawPeer('TLS', { port: edge.port('closed') }, { from: OUTSIDE, tls })
    try {
      const answer = peer.ask(requestOf(peer, 'OPTIONS'))
      return await Promise.race([
        answer.then(
          (a) => a.status,
          () => 0,
        ),
        peer.closed.then(() => 'closed'),
      ])
    } finally {
      peer.close()
    }
  }
  await ours.issue('phone', 'DNS:phone.acme.example')
  await strangers.issue('stranger', 'DNS:phone.acme.example')
  assert.equal(await served(pair('phone')), 200)
  // TLS 1.3 tells a client only after its own handshake is done
  assert.equal(await served({}), 'closed')
  assert.equal(await served(pair('stranger')), 'closed')
})

test('RFC 5922 7.4: a trunk is known by the name in the certificate of its carrier, wherever the call comes from', async () => {
  const known = await invite(pair('sbc'))
  assert.deepEqual(known, { status: 486, peer: { kind: 'trunk', trunk: 'secure' } })
  await strangers.issue('forged', 'URI:sip:carrier.example')
  await carriers.issue('customer', 'URI:sip:another.example')
  await carriers.issue('host', 'DNS:carrier.example.evil.example')
  for (const [who, certificate] of [
    ['nobody', undefined],
    ['a certificate of another CA', pair('forged')],
    ['another customer of the same CA', pair('customer')],
    ['a name that only ends or begins alike', pair('host')],
    ['a CA that another listener trusts', pair('phone')],
  ] as const) {
    const { peer, status } = await invite(certificate)
    assert.equal(peer, undefined, who)
    assert.ok(status === 403 || status === 407, `${who}: ${status}`)
  }
})

test('where the certificate is optional the address does as well, but not with the certificate of somebody else', async () => {
  const tls = { ca: carriers.file, names: ['carrier.example'], clientCertificate: 'optional' as const }
  await edge.apply(configuration({ from: [OUTSIDE], tls }))
  assert.deepEqual((await invite(undefined)).peer, { kind: 'trunk', trunk: 'secure' })
  assert.deepEqual((await invite(pair('sbc'))).peer, { kind: 'trunk', trunk: 'secure' })
  assert.equal((await invite(pair('customer'))).peer, undefined)
  await edge.apply(configuration({ from: ['192.0.2.1'], tls }))
  assert.equal((await invite(pair('sbc'))).peer, undefined, 'from narrows it down')
  await edge.apply(configuration())
})

test('RFC 5922 7.3: the edge calls a carrier only when its certificate holds the name; it shows its own', async (t) => {
  const seen: string[] = []
  const server = createServer({ ...pair('sbc'), ca: readFileSync(ours.file), requestCert: true }, (socket) => {
    seen.push(socket.getPeerCertificate().subjectaltname ?? 'nothing')
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const uri = parseUri(`sip:localhost:${port};transport=tls`)
  assert.ok(uri)
  const { wires } = edge.core.edge
  const towards = async (tls: NonNullable<ConfigurationDocument['trunks'][string]['tls']>, unproven = false) => {
    await edge.apply(configuration({ tls }))
    const [wire] = await wires.toUri('carriers', uri, 'secure', unproven)
    return wire
  }
  const own = { certificate: shown.certificate, privateKey: shown.privateKey }
  const right = await towards({ ca: carriers.file, names: ['carrier.example'], ...own })
  assert.equal(right?.transport, 'TLS')
  while (seen.length === 0) await new Promise((done) => setTimeout(done, 10))
  assert.deepEqual(seen, ['DNS:acme.example'], 'mutual: our certificate was shown')
  assert.equal(await towards({ ca: carriers.file, names: ['carrier.example'], ...own }), right, 'used again')
  const refused: [RegExp, Parameters<typeof towards>[0]][] = [
    // RFC 5922 7.1: with a sip URI in it the DNS names do not count
    [/certificate is of carrier\.example, not of host\.carrier\.example/, { names: ['host.carrier.example'] }],
    [/certificate is of carrier\.example, not of localhost/, {}],
    [/self-signed|unable to (get|verify)/, { names: ['carrier.example'], ca: strangers.file }],
  ]
  for (const [why, tls] of refused) await assert.rejects(towards({ ca: carriers.file, ...tls }), why)
  const anybody = await towards({ verify: false })
  assert.ok(anybody?.alive)
  const urgent = await towards({ ca: strangers.file, names: ['nobody.example'] }, true)
  assert.ok(urgent?.alive, 'a call for help goes out all the same')
  await edge.apply(configuration())
})

test('RFC 5923: calls to a carrier go over the connection that it opened and offered, if its certificate proves it', async () => {
  const port = await steadyPort()
  await edge.apply(configuration({ to: [`sip:carrier.example:${port};transport=tls`] }))
  const uri = parseUri(`sip:${OUTSIDE}:${port};transport=tls`)
  assert.ok(uri)
  const way = async () => (await edge.core.edge.wires.toUri('carriers', uri, 'secure'))[0]
  const from = async (certificate: object, alias: string) => {
    const peer = await rawPeer('TLS', { port: edge.port('carriers') }, { from: OUTSIDE, tls: certificate })
    const via = `SIP/2.0/TLS carrier.example:${port};branch=z9hG4bK${Math.random()};rport${alias}`
    await peer.ask(requestOf(peer, 'OPTIONS'), { via })
    return peer
  }
  const silent = await from(pair('sbc'), '')
  await assert.rejects(way(), /ECONNREFUSED/, 'it was not offered')
  const other = await from(pair('customer'), ';alias')
  await assert.rejects(way(), /ECONNREFUSED/, 'not the carrier')
  const carrier = await from(pair('sbc'), ';alias')
  const wire = await way()
  assert.equal(wire?.remotePort, carrier.port)
  wire?.send(
    Buffer.from(
      'OPTIONS sip:carrier.example SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:c@d>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n',
    ),
  )
  await carrier.next((m) => m.kind === 'request' && m.method === 'OPTIONS')
  carrier.close()
  for (let i = 0; i < 500 && wire?.alive; i++) await new Promise((done) => setTimeout(done, 20))
  await assert.rejects(way(), /ECONNREFUSED/, 'gone with its connection')
  silent.close()
  other.close()
  await edge.apply(configuration())
})

test('a new certificate is shown to new connections while old ones go on; one that is no pair is not taken', async () => {
  const before = await rawPeer('TLS', { port: edge.port('remote') }, { from: OUTSIDE })
  assert.equal((await before.ask(requestOf(before, 'OPTIONS'))).status, 200)
  const renewed = await ours.issue('renewed', 'DNS:acme.example,DNS:renewed.example')
  copyFileSync(renewed.certificate, shown.certificate)
  edge.core.renewCertificates()
  assert.equal(await shownBy('remote'), 'DNS:acme.example', 'certificate and key are no pair yet')
  copyFileSync(renewed.privateKey, shown.privateKey)
  // nobody says so: the files are looked at
  const until = performance.now() + 20_000
  while ((await shownBy('remote')) !== 'DNS:acme.example, DNS:renewed.example') {
    assert.ok(performance.now() < until, 'the new certificate is shown')
    await new Promise((done) => setTimeout(done, 200))
  }
  writeFileSync(shown.certificate, 'rubbish')
  edge.core.renewCertificates()
  assert.equal(await shownBy('remote'), 'DNS:acme.example, DNS:renewed.example', 'rubbish is not taken')
  copyFileSync(renewed.certificate, shown.certificate)
  const document = configuration()
  const remote = document.edge.listen.remote
  assert.ok(remote)
  Object.assign(remote, { certificate: join(folder, 'other.pem'), privateKey: join(folder, 'other.key') })
  await edge.apply(document)
  assert.equal(await shownBy('remote'), 'DNS:sip.other.example', 'another file by the configuration')
  assert.equal((await before.ask(requestOf(before, 'OPTIONS'))).status, 200, 'the old connection still lives')
  before.close()
})

test('RFC 5922 7.1: the identities of a certificate', () => {
  const of = (subjectaltname: string | undefined, CN?: string) => sipIdentities({ subjectaltname, subject: { CN } })
  const table: [string | undefined, string | undefined, string[]][] = [
    ['URI:sip:Example.com, DNS:host.example.com', undefined, ['example.com']],
    ['DNS:a.example, DNS:B.example', 'cn.example', ['a.example', 'b.example']],
    ['URI:sip:alice@example.com, DNS:a.example', undefined, ['a.example']],
    ['URI:sips:example.com, URI:https://example.com', 'example.com', []],
    ['URI:SIP:example.com:5061;transport=tls', undefined, ['example.com']],
    ['IP Address:192.0.2.1', 'example.com', ['192.0.2.1']],
    ['DNS:"a, URI:sip:evil.example", DNS:b.example', undefined, ['a, uri:sip:evil.example', 'b.example']],
    [undefined, 'Example.com', ['example.com']],
    [undefined, 'Example Inc', []],
    ['', 'example.com', []],
  ]
  for (const [alternatives, common, expected] of table) assert.deepEqual(of(alternatives, common), expected)
  // RFC 5922 7.2: no wildcard, no suffix
  assert.ok(!namesOne(['*.example.com'], ['a.example.com']))
  assert.ok(!namesOne(['example.com'], ['a.example.com']))
  assert.ok(namesOne(['example.com'], ['EXAMPLE.com']))
})
