/** A real phone, baresip of Debian: registers with digest and watches a colleague. Skipped by name where it is missing. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { PresenceNotify, SubscribePresence } from '@tandem/contracts/presence.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

const missing = baresipMissing()
let edge: TestEdge
let folder: string
let phone: ChildProcess | undefined
let said = ''

function baresipMissing(): string | false {
  try {
    execFileSync('sh', ['-c', 'command -v baresip'], { stdio: 'ignore' })
  } catch {
    return 'baresip is not installed (Debian: apt-get install baresip-core)'
  }
  return existsSync('/usr/lib/baresip/modules/presence.so') ? false : 'baresip has no presence module'
}

before(async () => {
  if (missing) return
  // baresip 1.0 gives up when any of the algorithms offered is unknown to it: only MD5 then
  const document = testConfiguration()
  const { edge: configured } = document
  const inside = { url: 'udp://127.0.0.1:0', digest: ['md5' as const] }
  edge = await startEdgeForTest({
    document: { ...document, edge: { ...configured, listen: { ...configured.listen, inside } } },
  })
  folder = await mkdtemp(join(tmpdir(), 'tandem-baresip-'))
})
after(async () => {
  if (phone && phone.exitCode === null) {
    phone.kill('SIGTERM')
    await once(phone, 'exit')
  }
  if (missing) return
  await edge.close()
  await rm(folder, { recursive: true, force: true })
})

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((done) => setTimeout(done, 25))
  assert.ok(holds(), `${what}; the phone said:\n${said.slice(-3000)}`)
}

test('baresip registers with digest, watches a colleague and is told when she is on the phone', {
  skip: missing,
}, async () => {
  const presence = await edge.nats.bus('presence')
  const watches: string[] = []
  const body = (basic: string, note: string) =>
    `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@acme.example"><tuple id="t1"><status><basic>${basic}</basic></status></tuple><dm:person id="p1"><rpid:activities>${note}</rpid:activities></dm:person></presence>`
  const notify = (basic: string, note: string) => ({
    state: 'active' as const,
    contentType: 'application/pidf+xml',
    body: body(basic, note),
  })
  presence.answer(SubscribePresence, (asked) => {
    if (asked.presentity === 'bob' && asked.expires > 0) watches.push(asked.subscriptionId)
    return { status: 200, expires: 600, notify: notify('open', '') }
  })
  await presence.flush()
  const registrar = `127.0.0.1:${edge.port('inside')}`
  const modules = '/usr/lib/baresip/modules'
  await writeFile(
    join(folder, 'config'),
    [
      'poll_method epoll',
      'sip_listen 127.0.0.1:0',
      'net_interface 127.0.0.1',
      `module_path ${modules}`,
      'module g711.so',
      'module_app account.so',
      'module_app contact.so',
      'module_app menu.so',
      'module_app presence.so',
      '',
    ].join('\n'),
  )
  await writeFile(
    join(folder, 'accounts'),
    `<sip:alice@${registrar}>;auth_user=alice;auth_pass=${PASSWORDS.ALICE_PASSWORD};regint=60\n`,
  )
  await writeFile(join(folder, 'contacts'), `"bob" <sip:bob@${registrar}>;presence=p2p\n`)
  phone = spawn('baresip', ['-4', '-s', '-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [phone.stdout, phone.stderr])
    stream?.on('data', (d: Buffer) => (said = (said + d).slice(-100_000)))

  await eventually('registered', () => edge.core.edge.bindings.of('alice').length === 1)
  await eventually('subscribed', () => watches.length > 0 && edge.core.subscriptions() > 0)
  await eventually('notified', () => /Subscription-State: active/.test(said))
  presence.tell(PresenceNotify, {
    edge: 'edge-test',
    subscriptionId: watches[0] as string,
    notify: notify('open', '<rpid:on-the-phone/>'),
  })
  await eventually('told that she is on the phone', () => /on-the-phone/.test(said))
  await eventually('the NOTIFY was answered', () => /SIP\/2\.0 200 OK[\s\S]*CSeq: \d+ NOTIFY/.test(said))
})
