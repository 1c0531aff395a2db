using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Text.Json;
using Godwit.Base;

namespace Godwit.Oci.Distribution;

/// <summary>
/// Sends one request to one endpoint: with TLS where it is spoken, with what the registry wants to see, again after a
/// failure that may pass. What comes back is a success, or a <see cref="RegistryException"/>.
/// <code>
///   send ──▶ 2xx, 404 … ──▶ done
///    │  ▲
///    │  └── wait (back-off, Retry-After), at most AttemptsMax ◀── 429, 5xx, reset, silence
///    └────▶ 401 ──▶ meet the challenge, once ──▶ send
/// </code>
/// </summary>
internal sealed class RegistryConnection(RegistryOptions options, TimeProvider time) : IDisposable
{
    public const int AttemptsMax = 6;
    private const int ErrorBytesMax = 64 << 10;
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetryAfterMax = TimeSpan.FromSeconds(60);
    private static readonly Backoff Waits = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(8));

    private readonly ConcurrentDictionary<string, HttpClient> clients = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, string> schemes = new(StringComparer.OrdinalIgnoreCase); // Which one a host that may be plain turned out to speak.
    private readonly RegistryCertificates certificates = new(options.CertificatesFolder);
    private readonly RegistryTokens tokens = new(time);

    public TimeProvider Time => time;

    /// <summary>Sends what <paramref name="request"/> makes for each attempt, and returns the answer with its body unread.</summary>
    /// <param name="endpoint">Where to.</param>
    /// <param name="scope">What for, in the token specification's words; empty for none.</param>
    public async Task<HttpResponseMessage> SendAsync(RegistryEndpoint endpoint, string scope, RegistryCredentials credentials, Func<HttpRequestMessage> request, CancellationToken stopping)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await SendOnceAsync(endpoint, scope, credentials, request, stopping);
            }
            catch (RegistryException passing) when (passing.Failure is RegistryFailure.Unavailable && attempt + 1 < AttemptsMax)
            {
                await WaitAsync(attempt, passing.RetryAfter, stopping);
            }
        }
    }

    /// <summary>The wait before attempt number <paramref name="attempt"/> + 1.</summary>
    public Task WaitAsync(int attempt, TimeSpan? asked, CancellationToken stopping)
    {
        var own = Waits.DelayFor(attempt, Random.Shared.NextDouble());
        var wait = asked is { } wanted ? TimeSpan.FromTicks(Math.Min(Math.Max(wanted.Ticks, own.Ticks), RetryAfterMax.Ticks)) : own;
        return Task.Delay(wait, time, stopping);
    }

    public void Dispose()
    {
        foreach (var client in clients.Values)
        {
            client.Dispose();
        }
    }

    /// <summary>One attempt, with the challenge met if there is one.</summary>
    public async Task<HttpResponseMessage> SendOnceAsync(RegistryEndpoint endpoint, string scope, RegistryCredentials credentials, Func<HttpRequestMessage> make, CancellationToken stopping)
    {
        var client = clients.GetOrAdd(endpoint.Base.Authority, _ => Connect(endpoint));
        var known = tokens.Find(endpoint, scope, credentials);
        var response = await TrySchemesAsync(client, endpoint, make, known, stopping);
        if (response.StatusCode is HttpStatusCode.Unauthorized && Challenge.Parse(response.Headers.WwwAuthenticate.Select(value => value.ToString())) is { } challenge)
        {
            tokens.Forget(endpoint, scope, credentials);
            var met = await MeetAsync(client, endpoint, challenge, scope, credentials, stopping);
            if (met is not null)
            {
                response.Dispose();
                response = await TrySchemesAsync(client, endpoint, make, met, stopping);
            }
        }

        using (response.IsSuccessStatusCode ? null : response)
        {
            return response.IsSuccessStatusCode ? response : throw await DescribeAsync(response, endpoint, credentials, stopping);
        }
    }

    private async Task<AuthenticationHeaderValue?> MeetAsync(HttpClient client, RegistryEndpoint endpoint, Challenge challenge, string scope, RegistryCredentials credentials, CancellationToken stopping)
    {
        try
        {
            return await tokens.MeetAsync(client, endpoint, challenge, scope, credentials, stopping);
        }
        catch (HttpRequestException failure)
        {
            throw Explain($"The token server of {endpoint.Base.Authority}", endpoint, failure);
        }
    }

    /// <summary>A registry that may be plain is asked over TLS first, and its answer is remembered.</summary>
    private async Task<HttpResponseMessage> TrySchemesAsync(HttpClient client, RegistryEndpoint endpoint, Func<HttpRequestMessage> make, AuthenticationHeaderValue? authorization, CancellationToken stopping)
    {
        var scheme = endpoint.MayBePlain ? schemes.GetValueOrDefault(endpoint.Base.Authority) : endpoint.Base.Scheme;
        if (scheme is null && endpoint.Base.Scheme == Uri.UriSchemeHttps)
        {
            try
            {
                var answer = await SendAsAsync(client, endpoint, make, authorization, Uri.UriSchemeHttps, stopping);
                schemes[endpoint.Base.Authority] = Uri.UriSchemeHttps;
                return answer;
            }
            catch (RegistryException refusal) when (refusal.InnerException is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError or HttpRequestError.ConnectionError })
            {
                scheme = Uri.UriSchemeHttp;
            }
        }

        var response = await SendAsAsync(client, endpoint, make, authorization, scheme ?? endpoint.Base.Scheme, stopping);
        if (endpoint.MayBePlain && scheme is not null)
        {
            schemes[endpoint.Base.Authority] = scheme;
        }

        return response;
    }

    private async Task<HttpResponseMessage> SendAsAsync(HttpClient client, RegistryEndpoint endpoint, Func<HttpRequestMessage> make, AuthenticationHeaderValue? authorization, string scheme, CancellationToken stopping)
    {
        using var request = make();
        request.RequestUri = Place(endpoint, request.RequestUri!, scheme);
        request.Headers.Authorization = IsAt(endpoint, request.RequestUri) ? authorization : null; // What one host may see, another may not.
        using var bound = new CancellationTokenSource(AnswerWithin, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        try
        {
            // A body that is being sent may take as long as it moves; only then is the answer awaited.
            return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, request.Content is null ? either.Token : stopping);
        }
        catch (HttpRequestException failure)
        {
            throw Explain($"The registry {endpoint.Base.Authority}", endpoint, failure);
        }
        catch (IOException failure)
        {
            throw new RegistryException(RegistryFailure.Unavailable, $"The connection to the registry {endpoint.Base.Authority} broke.", failure);
        }
        catch (OperationCanceledException late) when (!stopping.IsCancellationRequested)
        {
            throw new RegistryException(RegistryFailure.Unavailable, $"The registry {endpoint.Base.Authority} did not answer within {AnswerWithin.TotalSeconds} s.", late);
        }
    }

    /// <summary>A relative address is below the endpoint; an absolute one is where the registry says that an upload goes on.</summary>
    private static Uri Place(RegistryEndpoint endpoint, Uri address, string scheme)
    {
        if (address.IsAbsoluteUri && address.Scheme is "http" or "https")
        {
            // A proxy that ends TLS before the registry makes it believe, and say, that all is plain.
            return IsAt(endpoint, address) ? new Uri($"{scheme}://{endpoint.Base.Authority}{address.PathAndQuery}") : address;
        }

        return new Uri($"{scheme}://{endpoint.Base.Authority}{endpoint.Base.AbsolutePath.TrimEnd('/')}{address.OriginalString}");
    }

    private static bool IsAt(RegistryEndpoint endpoint, Uri address) => address.Authority.Equals(endpoint.Base.Authority, StringComparison.OrdinalIgnoreCase);

    /// <summary>Distrust is told at once, with what to do; whatever else kept it from answering may pass.</summary>
    private RegistryException Explain(string who, RegistryEndpoint endpoint, HttpRequestException failure) => RegistryTrustException.In(failure) is { } distrust
        ? new RegistryException(RegistryFailure.Untrusted, $"{who} is not trusted{certificates.Advice(endpoint.Base.Authority)}.", distrust)
        : IsPlain(failure) ? new RegistryException(RegistryFailure.Untrusted, $"{who} does not speak TLS; if that is meant, name it as an insecure registry (--insecure-registry).", failure)
        : new RegistryException(RegistryFailure.Unavailable, $"{who} cannot be reached.", failure);

    /// <summary>What came instead of a handshake is no TLS at all.</summary>
    private static bool IsPlain(HttpRequestException failure) => failure is { HttpRequestError: HttpRequestError.SecureConnectionError, InnerException: AuthenticationException { InnerException: null } };

    private HttpClient Connect(RegistryEndpoint endpoint)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectWithin,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            MaxConnectionsPerServer = 16,
            MaxAutomaticRedirections = 5,
            MaxResponseHeadersLength = 64,
            UseCookies = false,
            SslOptions = new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 },
        };
        var authority = endpoint.Base.Authority;
        handler.SslOptions.RemoteCertificateValidationCallback = (sender, certificate, chain, errors) => certificates.Check(authority, isChecked: !endpoint.MayBePlain, sender, certificate, chain, errors);
        handler.SslOptions.LocalCertificateSelectionCallback = (_, target, _, _, _) => target.Equals(endpoint.Base.IdnHost, StringComparison.OrdinalIgnoreCase) ? certificates.OwnFor(authority)! : null!; // Not to whom it sends us.
        var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan }; // Each wait has its own bound.
        client.DefaultRequestHeaders.UserAgent.ParseAdd(options.UserAgent);
        return client;
    }

    /// <summary>An answer that is no success, as what it means.</summary>
    private static async Task<RegistryException> DescribeAsync(HttpResponseMessage response, RegistryEndpoint endpoint, RegistryCredentials credentials, CancellationToken stopping)
    {
        var status = (int)response.StatusCode;
        var failure = status switch
        {
            401 or 403 => RegistryFailure.Unauthorized,
            404 => RegistryFailure.NotFound,
            408 or 429 or >= 500 => RegistryFailure.Unavailable,
            _ => RegistryFailure.Refused,
        };
        var words = await ReadErrorAsync(response, stopping);
        var shown = failure is RegistryFailure.Unauthorized ? $" (shown: {credentials})" : "";
        return new RegistryException(failure, $"The registry {endpoint.Base.Authority} answered {status} {response.ReasonPhrase} to {response.RequestMessage?.Method} {response.RequestMessage?.RequestUri?.AbsolutePath}{shown}{words}.")
        {
            Status = response.StatusCode,
            RetryAfter = response.Headers.RetryAfter?.Delta,
        };
    }

    /// <summary>The code and message of the protocol's error list, if that is what it sent.</summary>
    private static async Task<string> ReadErrorAsync(HttpResponseMessage response, CancellationToken stopping)
    {
        try
        {
            using var document = JsonDocument.Parse(await BoundedBody.ReadAsync(response, ErrorBytesMax, stopping), new JsonDocumentOptions { MaxDepth = 16 });
            var first = document.RootElement.GetProperty("errors")[0];
            var text = $": {first.GetProperty("code").GetString()}: {(first.TryGetProperty("message", out var message) ? message.GetString() : "")}";
            return new string([.. text.Take(300).Select(letter => char.IsControl(letter) ? ' ' : letter)]);
        }
        catch (Exception reason) when (reason is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException or HttpRequestException or IOException or RegistryException)
        {
            return "";
        }
    }
}
