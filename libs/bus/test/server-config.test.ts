import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { containerServerConfig } from '@tandem/bus/server-config.ts'

test('the permissions that containers use are those of the contracts', () => {
  const shipped = readFileSync(new URL('../../../deploy/nats/nats-server.conf', import.meta.url), 'utf8')
  assert.equal(shipped, containerServerConfig(), 'run node libs/bus/scripts/write-server-config.ts')
})

test('no password stands in the configuration of containers', () => {
  for (const m of containerServerConfig().matchAll(/password: (\S+)/g))
    assert.match(m[1] as string, /^\$[A-Z_]+_NATS_PASSWORD$/)
})
