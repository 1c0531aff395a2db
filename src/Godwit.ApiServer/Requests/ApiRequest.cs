using Godwit.ApiServer.Security;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Requests;

/// <summary>One authenticated, authorised request on its way through the server.</summary>
internal sealed class ApiRequest(HttpContext http, RequestInfo info, User user, CancellationToken stopping)
{
    private List<string>? warnings;

    public HttpContext Http { get; } = http;

    public RequestInfo Info { get; } = info;

    public User User { get; } = user;

    /// <summary>Ends when the client leaves, the request's time is over or the server stops.</summary>
    public CancellationToken Stopping { get; } = stopping;

    public string Query(string name) => Http.Request.Query[name].ToString();

    /// <exception cref="StatusException">The parameter is there, and is neither true nor false.</exception>
    public bool QueryFlag(string name) => Query(name) switch
    {
        "" or "0" or "false" => false,
        "1" or "true" => true,
        var other => throw StatusException.BadRequest($"the query parameter {name}={other} must be true or false"),
    };

    /// <summary>A whole number of 0 or more; 0 when absent.</summary>
    public long QueryNumber(string name)
    {
        var text = Query(name);
        return text.Length == 0 ? 0
            : long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number
            : throw StatusException.BadRequest($"the query parameter {name}={text} must be a whole number of 0 or more");
    }

    /// <summary>Advice that goes with the answer as a <c>Warning: 299</c> header.</summary>
    public void Warn(string advice) => (warnings ??= []).Add(advice);

    /// <summary>Puts what every answer carries into its headers. Called once, before the body.</summary>
    public void PrepareAnswer(int code, string contentType)
    {
        var response = Http.Response;
        response.StatusCode = code;
        response.ContentType = contentType;
        response.Headers.CacheControl = "no-cache, private";
        foreach (var advice in warnings ?? [])
        {
            var printable = new string([.. advice.Select(letter => letter is >= ' ' and < (char)127 ? letter : ' ')]);
            response.Headers.Append("Warning", $"299 - \"{printable.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"");
        }
    }
}
