/** New certificates while a call over TLS is up: at the listener and towards a carrier that wants to see ours (edge.md E9). */
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { SecurityCredentialChanged } from '@tandem/contracts/security.ts'
import { type CertificateAuthority, makeAuthority } from '@tandem/testing/certificates.ts'
import { type CallEdge, plan, startCallEdge, toTrunk } from './call-edge.ts'
import { HandCaller, sdp } from './hand-call.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { endpoint, rtp, until } from './rtp-endpoint.ts'
import { PASSWORDS } from './start-edge.ts'

/** Outside every site. */
const OUTSIDE = '127.0.0.2'
const faults: { what: string; usable: boolean; why?: string }[] = []
let folder: string
let ours: CertificateAuthority
let house: CallEdge
const peers: RawPeer[] = []

const at = (file: string) => join(folder, file)
const pair = (name: string) => ({ certificate: at(`${name}.pem`), privateKey: at(`${name}.key`) })

/** Puts `fresh` where the configuration says that `name` is. */
function renew(name: string, fresh: string): void {
  copyFileSync(at(`${fresh}.pem`), at(`${name}.pem`))
  copyFileSync(at(`${fresh}.key`), at(`${name}.key`))
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-renewal-'))
  ours = await makeAuthority(folder, 'our-ca')
  const carriers = await makeAuthority(folder, 'carrier-ca')
  for (const name of ['edge', 'trunk']) await ours.issue(name, `DNS:first.${name}.example`)
  for (const name of ['edge', 'trunk']) await ours.issue(`${name}-2`, `DNS:second.${name}.example`)
  await carriers.issue('sbc', 'IP:127.0.0.1')
  const text = (file: string) => readFileSync(at(file), 'utf8')
  house = await startCallEdge({
    a: {
      listen: 'tls://127.0.0.1:0',
      certificate: { certificate: text('sbc.pem'), privateKey: text('sbc.key') },
      clientCa: text('our-ca.pem'),
    },
    listeners: {
      remote: { url: 'tls://127.0.0.1:0', ...pair('edge'), srtp: 'off' },
      secure: { url: 'tls://127.0.0.1:0', ...pair('edge'), srtp: 'off' },
    },
  })
  const { itspA, document } = house
  const a = {
    ...document.trunks['itsp-a'],
    to: [`${itspA.uri};transport=tls`],
    listener: 'secure',
    tls: { ca: carriers.file, ...pair('trunk') },
  }
  await house.edge.apply({ ...document, trunks: { ...document.trunks, 'itsp-a': a } })
  const operator = await house.edge.nats.bus('console')
  operator.hear(SecurityCredentialChanged, (body) => void faults.push(body as (typeof faults)[number]))
  await operator.flush()
})
after(async () => {
  for (const peer of peers) peer.close()
  await house?.close()
  await rm(folder, { recursive: true, force: true })
})

async function phone(): Promise<RawPeer> {
  const made = await rawPeer('TLS', { port: house.edge.port('remote') }, { from: OUTSIDE })
  peers.push(made)
  return made
}

/** The names in the certificate that a new connection is shown. */
function shown(): Promise<string | undefined> {
  return new Promise((done, fail) => {
    const to = { host: '127.0.0.1', port: house.edge.port('remote'), localAddress: OUTSIDE }
    const socket = connect({ ...to, rejectUnauthorized: false }, () => {
      done(socket.getPeerCertificate().subjectaltname)
      socket.destroy()
    })
    socket.once('error', fail)
  })
}

const faultOf = (what: string) => faults.findLast((fault) => fault.what === what)

/** A re-INVITE inside the call, answered and acknowledged. */
async function again(caller: HandCaller, body: string): Promise<void> {
  const answer = await caller.ask('INVITE', { body })
  assert.equal(answer.status, 200)
  caller.ackAgain(answer)
}

test('a call over TLS goes on, over its connections and over new ones, which get the new certificates', async (t) => {
  const first = await phone()
  assert.equal((await registerUser(first, 'bob', PASSWORDS.BOB_PASSWORD)).status, 200)
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const end = await endpoint(OUTSIDE)
  t.after(() => end.close())
  const says = (session: number) => sdp(end.port, '0', [], session).replaceAll('127.0.0.1', OUTSIDE)
  const caller = new HandCaller(first, '912065550100', house.edge.port('remote'), { body: says(1), user: 'bob' })
  const answer = await caller.hears(200)
  caller.ack(answer)
  assert.deepEqual(house.itspA.clients, ['DNS:first.trunk.example'])
  await until(() => end.heard.length > 0, 'the carrier is heard')

  renew('edge', 'edge-2')
  renew('trunk', 'trunk-2')
  house.edge.core.renewCertificates()
  assert.equal(await shown(), 'DNS:second.edge.example')
  await again(caller, says(2))
  assert.equal(house.itspA.clients.length, 1, 'the old connections carry the call')

  const second = await phone()
  caller.peer = second
  first.close()
  house.itspA.disconnect()
  await again(caller, says(3))
  assert.deepEqual(house.itspA.clients.slice(1), ['DNS:second.trunk.example'], 'a new connection, a new certificate')
  const heard = end.heard.length
  end.send(rtp(1), Number(/m=audio (\d+)/.exec(Buffer.from(answer.body).toString())?.[1]))
  await until(() => end.heard.length > heard, 'the carrier is still heard')

  await broken(caller, says)
  await caller.hangUp()
  const records = await house.ended(2)
  assert.deepEqual(new Set(records.map((r) => r.endedBy)), new Set(['caller']))
})

/** Certificates that cannot be used: the last good ones stay, and the operator hears of it. */
async function broken(caller: HandCaller, says: (session: number) => string): Promise<void> {
  writeFileSync(at('edge.pem'), 'rubbish')
  writeFileSync(at('trunk.key'), 'rubbish')
  house.edge.core.renewCertificates()
  assert.equal(await shown(), 'DNS:second.edge.example')
  house.itspA.disconnect()
  await again(caller, says(4))
  assert.equal(house.itspA.clients.at(-1), 'DNS:second.trunk.example')
  await until(() => faultOf('trunk itsp-a tls')?.usable === false, 'the operator hears of the trunk')
  await until(() => faultOf('listener remote')?.usable === false, 'the operator hears of the listener')
  assert.match(faultOf('trunk itsp-a tls')?.why ?? '', /trunk\.pem and .*trunk\.key are no pair/)
  assert.doesNotMatch(JSON.stringify(faults), /rubbish|PRIVATE/)
  // both listeners have that certificate
  assert.equal(house.edge.core.credentialFaults(), 3)
  renew('edge', 'edge-2')
  renew('trunk', 'trunk-2')
  house.edge.core.renewCertificates()
  await until(() => faultOf('trunk itsp-a tls')?.usable === true, 'it is usable again')
  assert.equal(house.edge.core.credentialFaults(), 0)
}
