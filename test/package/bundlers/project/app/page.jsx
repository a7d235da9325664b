'use client';

import { useEffect, useState } from 'react';
import { run } from '../app.js';

/** Shows what the program gives in a browser. */
export default function Page() {
  const [result, setResult] = useState('');
  useEffect(() => {
    const url = new URLSearchParams(location.search).get('server');
    run(url).then(
      (value) => setResult(JSON.stringify(value)),
      (error) => setResult(String(error)),
    );
  }, []);
  return <pre>{result}</pre>;
}
