import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea } from '@grafana/ui';
import React from 'react';
import type { Options, Secrets } from './types';

const label = 24;
const width = 60;

/** Edits where the collector is and how it is asked. */
export function ConfigEditor({ options, onOptionsChange }: DataSourcePluginOptionsEditorProps<Options, Secrets>) {
  const { jsonData, secureJsonFields } = options;
  const secrets: Secrets = options.secureJsonData ?? {};
  const set = (change: Partial<Options>) => onOptionsChange({ ...options, jsonData: { ...jsonData, ...change } });
  const secret = (key: keyof Secrets, name: string) => ({
    'aria-label': name,
    isConfigured: Boolean(secureJsonFields?.[key]),
    value: secrets[key] ?? '',
    onChange: (e: { currentTarget: { value: string } }) => onOptionsChange({ ...options, secureJsonData: { ...secrets, [key]: e.currentTarget.value } }),
    onReset: () =>
      onOptionsChange({ ...options, secureJsonFields: { ...secureJsonFields, [key]: false }, secureJsonData: { ...secrets, [key]: '' } }),
  });
  const toggle = (key: 'tlsAuth' | 'tlsAuthWithCACert' | 'tlsSkipVerify', name: string) => (
    <InlineSwitch aria-label={name} value={Boolean(jsonData[key])} onChange={(e) => set({ [key]: e.currentTarget.checked })} />
  );
  return (
    <>
      <FieldSet label="Collector">
        <InlineField label="URL" labelWidth={label} tooltip="The address of collector serve --http, as Grafana's server reaches it">
          <Input
            aria-label="URL"
            width={width}
            placeholder="http://127.0.0.1:8480"
            value={options.url}
            onChange={(e) => onOptionsChange({ ...options, url: e.currentTarget.value, access: 'proxy' })}
          />
        </InlineField>
        <InlineField label="Token" labelWidth={label} tooltip="Sent as a bearer token; needed where something before the collector asks for one">
          <SecretInput width={width} {...secret('token', 'Token')} />
        </InlineField>
        <InlineField label="Timeout" labelWidth={label} tooltip="Of one query, in seconds; the collector itself gives up after 30">
          <Input
            aria-label="Timeout"
            width={12}
            type="number"
            min={1}
            placeholder="40"
            value={jsonData.timeout ?? ''}
            onChange={(e) => set({ timeout: e.currentTarget.value ? Number(e.currentTarget.value) : undefined })}
          />
        </InlineField>
      </FieldSet>
      <FieldSet label="TLS">
        <InlineField label="CA certificate" labelWidth={label} tooltip="Trust a certificate authority of your own">
          {toggle('tlsAuthWithCACert', 'CA certificate')}
        </InlineField>
        {jsonData.tlsAuthWithCACert && (
          <InlineField label="Authority" labelWidth={label}>
            <SecretTextArea rows={5} cols={width} placeholder="-----BEGIN CERTIFICATE-----" {...secret('tlsCACert', 'Authority')} />
          </InlineField>
        )}
        <InlineField label="Client certificate" labelWidth={label} tooltip="Show a certificate to the collector">
          {toggle('tlsAuth', 'Client certificate')}
        </InlineField>
        {jsonData.tlsAuth && (
          <>
            <InlineField label="Certificate" labelWidth={label}>
              <SecretTextArea rows={5} cols={width} placeholder="-----BEGIN CERTIFICATE-----" {...secret('tlsClientCert', 'Certificate')} />
            </InlineField>
            <InlineField label="Key" labelWidth={label}>
              <SecretTextArea rows={5} cols={width} placeholder="-----BEGIN PRIVATE KEY-----" {...secret('tlsClientKey', 'Key')} />
            </InlineField>
          </>
        )}
        {(jsonData.tlsAuth || jsonData.tlsAuthWithCACert) && (
          <InlineField label="Server name" labelWidth={label} tooltip="The name in the collector's certificate, where it is not that of the URL">
            <Input aria-label="Server name" width={width} value={jsonData.serverName ?? ''} onChange={(e) => set({ serverName: e.currentTarget.value })} />
          </InlineField>
        )}
        <InlineField label="Skip verification" labelWidth={label} tooltip="Trust any certificate: for tries only, it gives the token to whoever answers">
          {toggle('tlsSkipVerify', 'Skip verification')}
        </InlineField>
      </FieldSet>
    </>
  );
}
