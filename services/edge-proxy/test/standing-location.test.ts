import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Configuration } from '@tandem/config/schema.ts'
import { standingLocation } from '../src/domain/emergency-order.ts'

const configuration = {
  users: {
    alice: { name: 'alice', site: 'hq', location: 'desk', did: '+14255551001' },
    remote: { name: 'remote', site: 'home', location: 'desk', did: null },
  },
  sites: {
    hq: { name: 'hq', networks: ['10.1.0.0/16'], location: 'lobby' },
    plant: { name: 'plant', networks: ['10.2.0.0/16'], location: 'gate' },
    home: { name: 'home', networks: [], location: null },
  },
  locations: { desk: { country: 'US', ROOM: '201' }, lobby: { country: 'US' }, gate: { country: 'US', A3: 'Tacoma' } },
  emergency: { elins: {} },
} as unknown as Configuration

const where = (user: string, insideSite: string | undefined) => {
  const { place, source, routeClass } = standingLocation(configuration, { user, insideSite })
  return [place?.ref, source, routeClass]
}

test('without the location service a desk address counts only where the desk is', () => {
  assert.deepEqual(where('alice', 'hq'), ['desk', 'static', 'direct'])
  assert.deepEqual(where('alice', 'plant'), ['gate', 'site', 'direct'], 'visiting: the site that it is in')
  assert.deepEqual(where('alice', undefined), [undefined, undefined, 'screened'], 'off-site: unknown, never false')
  assert.deepEqual(where('remote', undefined), ['desk', 'static', 'screened'], 'nobody can tell: somebody asks')
})
