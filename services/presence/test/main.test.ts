import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { ReadPresence } from '@tandem/contracts/presence.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { acmeYaml } from './acme.ts'

test('the process waits for a configuration, answers with its own NATS permissions, and stops on SIGTERM', async () => {
  const nats = await startPrivateNats()
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/main.ts', import.meta.url))], {
    env: {
      ...process.env,
      NATS_URL: nats.url,
      NATS_USER: 'presence',
      NATS_PASSWORD: nats.passwords.presence,
      LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (d: Buffer) => {
    said += d.toString()
  })
  try {
    const console = await nats.bus('console')
    const bucket = await console.bucket(CONFIG_BUCKET)
    const source = [{ path: 'acme.yaml', text: acmeYaml }]
    await bucket.put(
      CONFIG_KEY,
      writeRevision({ revision: 1, by: 'test', at: new Date().toISOString(), why: '', source, decks: {} }),
    )
    let users: string[] = []
    for (let tries = 0; tries < 600 && users.length === 0; tries++) {
      const asked = await console.ask(ReadPresence, {})
      if (asked.kind === 'answer') users = asked.answer.states.map((s) => s.user)
      else await new Promise((done) => setTimeout(done, 50))
    }
    assert.deepEqual(users, ['alice', 'bob'], said)
    // lines are written together, a little later
    for (let tries = 0; tries < 600 && !said.includes('"health":'); tries++)
      await new Promise((done) => setTimeout(done, 50))
    const port = /"health":(\d+)/.exec(said)?.[1]
    assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200)
    assert.doesNotMatch(said, /Permission|restarts/)
  } finally {
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    assert.deepEqual((await gone)[0], 0, said)
    await nats.close()
  }
})
