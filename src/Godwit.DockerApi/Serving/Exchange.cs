using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Godwit.DockerApi.Serving;

/// <summary>One request and its answer.</summary>
/// <param name="Http">Both, as the web server has them.</param>
/// <param name="Version">The version that the client speaks.</param>
/// <param name="Name">What the path's placeholder stands for: an id or name.</param>
/// <param name="Stopping">The client has gone, or the server ends.</param>
internal sealed record Exchange(HttpContext Http, ApiVersion Version, string Name, CancellationToken Stopping)
{
    /// <summary>Bodies that are JSON.</summary>
    public const long JsonBytesMax = 4 << 20;

    public const string JsonType = "application/json";

    /// <summary>The request's body as it comes; without a bound, for archives.</summary>
    public Stream Body
    {
        get
        {
            if (Http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } bound)
            {
                bound.MaxRequestBodySize = null;
            }

            return Http.Request.Body;
        }
    }

    /// <summary>The answer's body; nothing of it is held back for the request to be read to its end.</summary>
    public Stream Output => Http.Response.Body;

    public bool HasBody => Http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;

    /// <summary>A parameter; null when it was not given. Given twice, the first counts, as it does in Docker.</summary>
    public string? Query(string name) => Http.Request.Query.TryGetValue(name, out var values) ? values[0] ?? "" : null;

    /// <summary>All values of a parameter, each of which may hold several with commas between.</summary>
    public IReadOnlyList<string> QueryList(string name) => Http.Request.Query.TryGetValue(name, out var values) ? [.. values.OfType<string>().Where(value => value.Length > 0)] : [];

    /// <summary>True for what Docker takes for true: anything but nothing, <c>0</c>, <c>no</c>, <c>false</c> and <c>none</c>.</summary>
    public bool QueryFlag(string name, bool otherwise = false) => Query(name) is not { } text ? otherwise : text.Trim().ToLowerInvariant() is not ("" or "0" or "no" or "false" or "none");

    /// <exception cref="DockerException">It is no whole number.</exception>
    public int? QueryNumber(string name) => Query(name) is not { Length: > 0 } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw DockerException.Invalid($"{name} takes a whole number, not '{text}'");

    /// <exception cref="DockerException">It is no moment.</exception>
    public DateTimeOffset? QueryTime(string name) => Query(name) is { Length: > 0 } and not "0" ? Moments.Parse(name, Query(name)!) : null;

    public Filters Filters() => Serving.Filters.Parse(Query("filters"));

    /// <summary>The body as JSON; null when it is empty.</summary>
    /// <exception cref="DockerException">It is not.</exception>
    public async Task<T?> ReadJsonAsync<T>(JsonTypeInfo<T> type)
        where T : class
    {
        if (!HasBody || Http.Request.ContentLength == 0)
        {
            return null;
        }

        using var body = new MemoryStream();
        await Http.Request.Body.CopyToAsync(body, Stopping); // Bounded by the server: JsonBytesMax.
        return body.Length == 0 ? null : JsonBody.Read(body.GetBuffer().AsSpan(0, (int)body.Length), type);
    }

    /// <summary>The body as JSON, which must be there.</summary>
    public async Task<T> RequireJsonAsync<T>(JsonTypeInfo<T> type)
        where T : class => await ReadJsonAsync(type) ?? throw DockerException.Invalid("invalid JSON: got EOF while reading request body");

    public async Task WriteJsonAsync<T>(int status, T value, JsonTypeInfo<T> type)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value, type);
        Http.Response.StatusCode = status;
        Http.Response.ContentType = JsonType;
        Http.Response.ContentLength = bytes.Length;
        await Http.Response.Body.WriteAsync(bytes, Stopping);
    }

    public Task WriteJsonAsync<T>(T value, JsonTypeInfo<T> type) => WriteJsonAsync(200, value, type);

    public async Task WriteTextAsync(string text, string type = "text/plain; charset=utf-8")
    {
        Http.Response.ContentType = type;
        await Http.Response.WriteAsync(text, Stopping);
    }

    /// <summary>Answers with a status and nothing else.</summary>
    public Task EndAsync(int status)
    {
        Http.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    /// <summary>The client has its status and headers now, whatever comes after.</summary>
    public async Task BeginAsync(string type)
    {
        Http.Response.StatusCode = 200;
        Http.Response.ContentType = type;
        await Http.Response.StartAsync(Stopping);
        await Http.Response.Body.FlushAsync(Stopping);
    }
}
