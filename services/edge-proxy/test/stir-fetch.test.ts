/** Certificates of callers from a repository by https (RFC 8224 7.2), each refusal of RFC 8224 6.2.2, keys that are none. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { SecurityCredentialChanged } from '@tandem/contracts/security.ts'
import { issueCertificate } from '@tandem/testing/certificates.ts'
import { fetchCertificates } from '../src/adapters/certificate-fetch.ts'
import { writeIdentity } from '../src/domain/passport.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { eventually } from './carrier-side.ts'
import { makeCertificate } from './stir-certificates.ts'

const OURS = 'https://certificates.example/acme.pem'
const LOOPBACK = ['127.0.0.0/8', '::1']
const authority = await makeCertificate({ name: 'STI authority' })
const stranger = await makeCertificate({ name: 'Somebody' })
const carrier = await makeCertificate({ name: 'SHAKEN 1234', issuer: authority, numbers: [{ spc: '1234' }] })
const forged = await makeCertificate({ name: 'SHAKEN 1234', issuer: stranger, numbers: [{ spc: '1234' }] })
const web = await issueCertificate({ name: 'web CA' })
const faults: { what: string; usable: boolean; why?: string }[] = []

let folder: string
let house: CallEdge
let server: Server
let root: string
let host: string
const hits: string[] = []

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-stir-fetch-'))
  const shown = await issueCertificate({ name: 'web', names: 'DNS:localhost,IP:127.0.0.1', issuer: web })
  server = createServer({ cert: shown.certificate, key: shown.privateKey }, (request, response) => {
    const path = request.url ?? ''
    hits.push(path)
    if (path === '/carrier.pem') response.setHeader('Cache-Control', 'public, max-age=7200').end(carrier.certificate)
    else if (path === '/forged.pem') response.end(forged.certificate)
    else if (path === '/none.pem') response.setHeader('Cache-Control', 'no-store').end('nothing')
    else if (path === '/moved.pem') response.writeHead(302, { Location: '/carrier.pem' }).end()
    else if (path === '/endless.pem') response.write('-'.repeat(70_000))
    else if (path === '/slow.pem') response.write('-----BEGIN')
    else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  host = `localhost:${(server.address() as AddressInfo).port}`
  root = `https://${host}`
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  house = await startCallEdge({
    trunks: {
      'itsp-a': { stir: { sign: { x5u: OURS, key: { file: file('acme.key', carrier.privateKey) } } } },
      'itsp-b': { stir: { verify: { missing: 'reject', invalid: 'reject' } } },
    },
    edge: {
      stir: {
        anchors: [file('anchor.pem', authority.certificate)],
        certificates: { [OURS]: file('acme.pem', carrier.certificate) },
        repositories: [host],
        fetch: { ca: file('web.pem', web.certificate), networks: LOOPBACK },
      },
    } as never,
  })
  const operator = await house.edge.nats.bus('console')
  operator.hear(SecurityCredentialChanged, (body) => void faults.push(body as (typeof faults)[number]))
  await operator.flush()
})
after(async () => {
  await house?.close()
  server?.closeAllConnections()
  server?.close()
  await rm(folder, { recursive: true, force: true })
})

const now = () => Math.floor(Date.now() / 1000)
const signed = (file: string, by = carrier, iat = now(), orig = '12065550177') =>
  writeIdentity(
    `${root}/${file}`,
    'shaken',
    { attest: 'A', dest: { tn: ['14255551001'] }, iat, orig: { tn: orig } },
    by.key,
  )

const fetchFrom = (url: string, networks = LOOPBACK, ca: string | undefined = web.certificate, limitMs = 5000) =>
  fetchCertificates(url, { networks }, ca, limitMs)

test('a repository is asked by https alone, is not followed elsewhere, and is bounded in size and time', async () => {
  const found = await fetchFrom(`${root}/carrier.pem`)
  assert.deepEqual(found, { text: carrier.certificate, keepMs: 7_200_000 })
  assert.equal((await fetchFrom(`${root}/none.pem`)).keepMs, 60_000)
  assert.equal((await fetchFrom(`${root}/forged.pem`)).keepMs, 3_600_000)
  await assert.rejects(fetchFrom(`${root}/moved.pem`), /302/)
  await assert.rejects(fetchFrom(`${root}/gone.pem`), /404/)
  await assert.rejects(fetchFrom(`${root}/endless.pem`), /more than 65536 bytes/)
  await assert.rejects(fetchFrom(`${root}/slow.pem`, LOOPBACK, web.certificate, 300), /aborted|timeout/i)
  await assert.rejects(fetchFrom(root.replace('https', 'http')), /only https/)
  await assert.rejects(
    fetchCertificates(`${root}/carrier.pem`, { networks: LOOPBACK }, undefined),
    /unable to (get|verify)/,
  )
})

test('nothing inside the house is asked, by name or by address, unless the configuration says so', async () => {
  const before = hits.length
  const port = host.split(':')[1]
  const inside = [
    'localhost',
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '10.0.0.1',
    '169.254.169.254',
    '[fd00::1]',
    '2130706433',
  ]
  for (const name of inside)
    await assert.rejects(fetchFrom(`https://${name}:${port}/carrier.pem`, []), /private address/, name)
  await assert.rejects(fetchFrom(`https://10.0.0.1:${port}/carrier.pem`), /private address/)
  assert.equal(hits.length, before)
  assert.equal((await fetchFrom(`https://127.0.0.1:${port}/carrier.pem`)).text, carrier.certificate)
})

/** What becomes of a call with this Identity: the status that refuses it, or what alice's phone is told. */
async function outcome(identity: string | undefined, date?: Date): Promise<number | string> {
  let told: string | undefined
  house.alice.onIncoming((call) => {
    told = /verstat=([\w-]+)@/.exec(call.invite.headers.get('p-asserted-identity') ?? '')?.[1]
    call.reject()
  })
  house.route(() => plan([toUser('alice')], { caller: { number: '+12065550177' }, callee: { user: 'alice' } }))
  const headers: [string, string][] = identity === undefined ? [] : [['Identity', identity]]
  if (date) headers.push(['Date', date.toUTCString()])
  const call = await house.itspB.call({ from: '+12065550177', to: '+14255551001', headers })
  const refused = await call.answered.then(
    () => 0,
    (error: Error) => Number(/\b(\d{3})\b/.exec(error.message)?.[1]),
  )
  return told ?? refused
}

/** The same, once the certificate was asked for. */
async function becomes(wanted: number | string, identity: () => string): Promise<void> {
  const until = performance.now() + 10_000
  let last = await outcome(identity())
  assert.equal(last, 'No-TN-Validation', 'nobody waits for a certificate')
  while (last !== wanted && performance.now() < until) last = await outcome(identity())
  assert.equal(last, wanted)
}

test('the first call of a carrier is let in unproven, then its certificate is here, and asked for once', async () => {
  hits.length = 0
  await becomes('TN-Validation-Passed', () => signed('carrier.pem'))
  assert.equal(await outcome(signed('carrier.pem')), 'TN-Validation-Passed')
  assert.deepEqual(hits, ['/carrier.pem'])
})

test('RFC 8224 6.2.2: 428, 403, 436, 437 and 438, each on the wire', async () => {
  assert.equal(await outcome(undefined), 428)
  assert.equal(await outcome(signed('carrier.pem', carrier, now() - 300)), 403)
  const compact = signed('carrier.pem').replace(/^[^.]+\.[^.]+\./, '..')
  assert.equal(await outcome(compact, new Date(Date.now() - 300_000)), 403, 'a compact form is as old as Date')
  assert.equal(await outcome(signed('carrier.pem', stranger)), 438, 'signed with another key')
  assert.equal(await outcome(signed('carrier.pem', carrier, now(), '12065550178')), 438, 'for another caller')
  await becomes(436, () => signed('gone.pem'))
  await becomes(437, () => signed('forged.pem', forged))
  assert.equal(await outcome(signed('carrier.pem')), 'TN-Validation-Passed')
})

test('RFC 8224 6.2.2: an Identity with a ppt that is not supported is none: 428 says so; beside another it is passed over; a call for help needs none', async () => {
  const unsupported = signed('carrier.pem').replace('ppt=shaken', 'ppt=rph')
  const call = await house.itspB.call({
    ...{ from: '+12065550177', to: '+14255551001', headers: [['Identity', unsupported]] as [string, string][] },
  })
  await assert.rejects(call.answered, /428/)
  assert.equal(call.responses.at(-1)?.reason, 'Use Supported PASSporT Format')
  const plain = await house.itspB.call({ from: '+12065550177', to: '+14255551001' })
  await assert.rejects(plain.answered, /428/)
  assert.equal(plain.responses.at(-1)?.reason, 'Use Identity Header')
  assert.equal(await outcome(`${unsupported}, ${signed('carrier.pem')}`), 'TN-Validation-Passed')
  house.route(() => plan([toTrunk('itsp-a', '911')], { emergency: true, dialled: '911' }))
  const help = await house.itspB.call({ from: '+12065550177', to: '911', headers: [['Identity', unsupported]] })
  await help.answered
  await help.hangUp()
})

test('with a key that is missing or another one calls go out unsigned, and the operator hears of it', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const identity = async () => {
    const call = await house.alice.call('912065550100')
    await call.answered
    const { request } = await house.itspA.nextInvite((i) => i.number === '12065550100')
    await call.hangUp()
    return request.headers.get('identity')
  }
  const { document } = house
  const withKey = (key: object) =>
    house.edge.apply({
      ...document,
      trunks: {
        ...document.trunks,
        'itsp-a': { ...document.trunks['itsp-a'], stir: { sign: { x5u: OURS, key } } } as never,
      },
    })
  assert.ok(await identity())
  writeFileSync(join(folder, 'wrong.key'), stranger.privateKey)
  writeFileSync(join(folder, 'rubbish.key'), 'hunter2')
  for (const [key, why] of [
    [{ file: join(folder, 'gone.key') }, /there is no file/],
    [{ env: 'NOT_SET' }, /NOT_SET/],
    [{ file: join(folder, 'wrong.key') }, /not that of the certificate of https:/],
    [{ file: join(folder, 'rubbish.key') }, /not PEM of an EC key/],
  ] as const) {
    await withKey(key)
    assert.equal(await identity(), undefined)
    await eventually('the operator hears', () => why.test(faults.at(-1)?.why ?? ''))
    assert.equal(house.edge.core.credentialFaults(), 1)
  }
  assert.doesNotMatch(JSON.stringify(faults), /hunter2/)
  await withKey({ file: join(folder, 'acme.key') })
  assert.ok(await identity())
  await eventually('it is usable again', () => faults.at(-1)?.usable === true)
  assert.equal(house.edge.core.credentialFaults(), 0)
})
