import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startItsp } from '../src/itsp.ts'
import { startPhone } from '../src/phone.ts'

/** Self-signed for 127.0.0.1; undefined where there is no openssl. */
function selfSigned(): { certificate: string; privateKey: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-tls-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', cert, ...subject],
    ])
    if (made.status !== 0) return undefined
    return { certificate: readFileSync(cert, 'utf8'), privateKey: readFileSync(key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const certificate = selfSigned()
const skip = certificate ? false : 'openssl is not installed'

test('a phone on another network registers over TLS and is called over that connection', { skip }, async () => {
  assert.ok(certificate)
  const server = await startItsp({
    name: 'edge',
    listen: 'tls://127.0.0.1:0',
    certificate,
    digestAccounts: { bob: 'secret' },
    challengeInvite: false,
  })
  const bob = await startPhone({
    name: 'bob',
    server: `tls://127.0.0.1:${server.port}`,
    bind: '127.0.0.2',
    password: 'secret',
    ca: certificate.certificate,
  })
  try {
    await bob.register()
    assert.match(bob.contactUri, /^sip:bob@127\.0\.0\.2:\d+;transport=tls$/)
    const out = await bob.call('12065550100')
    await out.answered
    assert.equal((await server.nextInvite()).transport, 'tls')
    await out.audio.hears(server.tone)
    await out.hangUp()
    const placed = await server.call({ from: '+12065550111', to: 'bob' })
    const incoming = await bob.nextCall()
    await incoming.answer()
    await placed.audio.hears(bob.tone)
    await incoming.hangUp()
    assert.deepEqual(await placed.ended, { by: 'peer', why: 'hung-up' })
  } finally {
    await bob.close()
    await server.close()
  }
})

test('a phone refuses a server whose certificate is not of the authority it was given', { skip }, async () => {
  assert.ok(certificate)
  const server = await startItsp({ name: 'edge', listen: 'tls://127.0.0.1:0', certificate })
  try {
    const other = selfSigned()?.certificate ?? ''
    await assert.rejects(
      startPhone({ name: 'bob', server: `tls://127.0.0.1:${server.port}`, ca: other }),
      /self-signed/,
    )
  } finally {
    await server.close()
  }
})
