using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Requests;

/// <summary>Writes an error as the answer.</summary>
internal static class StatusWriter
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task WriteAsync(HttpContext http, StatusException error, CancellationToken stopping)
    {
        var response = http.Response;
        response.StatusCode = error.Code;
        response.ContentType = "application/json";
        response.Headers.CacheControl = "no-cache, private";
        if (error.Details is { RetryAfterSeconds: > 0 and var seconds })
        {
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        if (error.Code == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        await using (var writer = new Utf8JsonWriter(response.BodyWriter, WriterOptions))
        {
            error.WriteTo(writer);
        }

        await response.BodyWriter.FlushAsync(stopping);
    }
}
