import { expect, test } from 'vitest';
import { realtimeUrl } from '../../../adapters/appsync/link.js';

test('subscriptions have a host of their own on AWS, and a path on others; always wss, but to this machine', () => {
  const url = (endpoint: string) => realtimeUrl(endpoint);
  const id = 'abcdefghijklmnopqrstuvwxyz';
  expect(url(`https://${id}.appsync-api.eu-central-1.amazonaws.com/graphql`)).toBe(
    `wss://${id}.appsync-realtime-api.eu-central-1.amazonaws.com/graphql`,
  );
  expect(url(`https://${id}.appsync-api.cn-north-1.amazonaws.com.cn/graphql`)).toBe(
    `wss://${id}.appsync-realtime-api.cn-north-1.amazonaws.com.cn/graphql`,
  );
  expect(url('https://api.example.com/graphql')).toBe('wss://api.example.com/graphql/realtime');
  expect(url('http://127.0.0.1:20002/graphql')).toBe('ws://127.0.0.1:20002/graphql/realtime');
});
