/** Get-CsVoiceRoute and Get-CsOnlineVoiceRoute, Get-CsVoicePolicy and Get-CsOnlineVoiceRoutingPolicy. */
import { lintRoute } from '@tandem/numbers/lint.ts'
import { policyOf } from './lync-policy.ts'
import { gatewayName, has, listOf, lost, scopeOf, textOf } from './lync-properties.ts'
import { type Making, type SourceRow, say, sayFindings } from './making.ts'

export function takePolicy(row: SourceRow, m: Making): void {
  const scope = scopeOf(textOf(row.values, 'Identity'))
  const name = scope.kind === 'global' ? 'global' : scope.name
  const read = policyOf(row.values, m.names.usages)
  if (read.kind === 'lost') {
    say(
      m.errors,
      row,
      `policy ${name}`,
      'the CSV has lost its usages',
      'Export it with Export-Clixml or ConvertTo-Json.',
    )
    return
  }
  m.sections.policies[m.names.policies(name)] = read.policy
}

export function takeRoute(row: SourceRow, m: Making): void {
  const { values } = row
  const name = textOf(values, 'Name') || textOf(values, 'Identity')
  const what = `route ${name}`
  const online = has(values, 'OnlinePstnUsages')
  const usages = listOf(values, online ? 'OnlinePstnUsages' : 'PstnUsages')
  const gateways = listOf(values, online ? 'OnlinePstnGatewayList' : 'PstnGatewayList')
  if (usages === lost || gateways === lost) {
    say(
      m.errors,
      row,
      what,
      'the CSV has lost its usages or gateways',
      'Export it with Export-Clixml or ConvertTo-Json.',
    )
    return
  }
  if (usages.length === 0 || gateways.length === 0) {
    say(m.notes, row, what, 'it has no usage or no gateway: it takes no call and is left out', '')
    return
  }
  const match = textOf(values, 'NumberPattern')
  if (!sayFindings(m, row, what, lintRoute({ name, match }))) return
  const trunks = gateways.map((gateway) => gatewayName(String(gateway)))
  const missing = trunks.filter(
    (trunk) => m.sections.trunks[m.names.trunks(trunk)] === undefined && !m.options.trunks.has(m.names.trunks(trunk)),
  )
  if (missing.length > 0) {
    say(
      m.errors,
      row,
      what,
      `there is no trunk ${missing.join(', ')}`,
      'Import the gateways too (Get-CsOnlinePSTNGateway, Get-CsService -PstnGateway), or add the trunk.',
    )
    return
  }
  m.sections.routes.push({
    ...{ name: m.names.routes(name), match, usages: usages.map((usage) => m.names.usages(String(usage))) },
    trunks: trunks.map((trunk) => m.names.trunks(trunk)),
  })
}
