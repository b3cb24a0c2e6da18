/** Get-CsVoicePolicy and Get-CsOnlineVoiceRoutingPolicy. */
import type { ExportedObject } from './export-file.ts'
import { flagOf, has, listOf, lost, textOf } from './lync-properties.ts'

export type ReadPolicy =
  | { readonly kind: 'policy'; readonly policy: { usages: string[]; forward?: string[]; ring?: string[] } }
  | { readonly kind: 'lost' }

/**
 * Lync keeps usages of forwarding and simultaneous ring apart by CallForwardingSimulRingUsageType: VoicePolicyUsage (those
 * of the policy), InternalOnly (none leave to the PSTN) or CustomUsage.
 */
export function policyOf(values: ExportedObject, nameOf: (usage: string) => string): ReadPolicy {
  const listed = listOf(values, has(values, 'OnlinePstnUsages') ? 'OnlinePstnUsages' : 'PstnUsages')
  const custom = listOf(values, 'CustomCallForwardingSimulRingUsages')
  if (listed === lost || custom === lost) return { kind: 'lost' }
  const usages = listed.map((usage) => nameOf(String(usage)))
  const type = textOf(values, 'CallForwardingSimulRingUsageType')
  const passedOn =
    type === 'InternalOnly' ? [] : type === 'CustomUsage' ? custom.map((usage) => nameOf(String(usage))) : undefined
  const only = (allowed: boolean | undefined) => (allowed === false ? [] : passedOn)
  const forward = only(flagOf(values, 'AllowCallForwarding'))
  const ring = only(flagOf(values, 'AllowSimulRing'))
  return {
    kind: 'policy',
    policy: { usages, ...(forward === undefined ? {} : { forward }), ...(ring === undefined ? {} : { ring }) },
  }
}
