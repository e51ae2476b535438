// The edge's work in njs. What needs the body runs in a content handler, which then hands over to
// the location that proxies. njs makes a fresh machine for each request: nothing can be kept.

import hmac from 'crypto';

const TENANT = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;
const GRANT_LIFE_S = 30;

function pass(r, tenant) {
    if (typeof tenant !== 'string' || !TENANT.test(tenant)) {
        r.return(400);
        return;
    }
    r.variables.tenant = tenant;
    if (!r.variables.epoch) {
        r.return(404);
        return;
    }
    r.internalRedirect('@cell');
}

function fromBody(r) {
    try {
        return JSON.parse(r.requestText).tenant_id;
    } catch (e) {
        return undefined;
    }
}

function header(r) {
    pass(r, r.headersIn['X-Tenant-Id']);
}

function body(r) {
    pass(r, fromBody(r));
}

function token(r) {
    const given = r.headersIn['Authorization'] || '';
    const parts = given.slice(7).split('.');
    return given.startsWith('Bearer ') && parts.length === 3 ? parts : null;
}

function decoded(part) {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
}

function grant(r, tenant, now) {
    const cell = r.variables.cell === 'cell_1' ? 'aws-alpha' : 'azure-beta';
    const head = JSON.stringify({alg: 'HS256', kid: r.variables.kid, typ: 'JWT'});
    const claims = JSON.stringify({
        iss: 'edge', aud: cell, tenant: tenant, epoch: Number(r.variables.epoch), scope: 'tenant',
        iat: now, exp: now + GRANT_LIFE_S, jti: r.variables.request_id,
    });
    const signed = Buffer.from(head).toString('base64url') + '.'
        + Buffer.from(claims).toString('base64url');
    return signed + '.' + hmac.createHmac('sha256', r.variables.secret).update(signed)
        .digest('base64url');
}

function admit(r, parts) {
    const claims = decoded(parts[1]);
    const now = Math.floor(Date.now() / 1000);
    if (claims.iss !== r.variables.issuer || claims.aud !== r.variables.audience
        || !(claims.exp > now)) {
        r.return(401);
        return;
    }
    const tenant = fromBody(r);
    if (tenant !== claims.tenant) {
        r.return(403);
        return;
    }
    r.variables.tenant = tenant;
    if (!r.variables.epoch) {
        r.return(404);
        return;
    }
    r.variables.grant = grant(r, tenant, now);
    r.internalRedirect('@cell');
}

function fullHS256(r) {
    const parts = token(r);
    if (!parts || decoded(parts[0]).alg !== 'HS256') {
        r.return(401);
        return;
    }
    const expected = hmac.createHmac('sha256', r.variables.secret)
        .update(parts[0] + '.' + parts[1]).digest('base64url');
    if (expected !== parts[2]) {
        r.return(401);
        return;
    }
    admit(r, parts);
}

async function fullRS256(r) {
    const parts = token(r);
    if (!parts || decoded(parts[0]).alg !== 'RS256') {
        r.return(401);
        return;
    }
    const algorithm = {name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256'};
    const key = await crypto.subtle.importKey(
        'spki', Buffer.from(r.variables.spki, 'base64'), algorithm, false, ['verify']);
    const valid = await crypto.subtle.verify(
        algorithm, key, Buffer.from(parts[2], 'base64url'), Buffer.from(parts[0] + '.' + parts[1]));
    if (!valid) {
        r.return(401);
        return;
    }
    admit(r, parts);
}

export default {header, body, fullHS256, fullRS256};
