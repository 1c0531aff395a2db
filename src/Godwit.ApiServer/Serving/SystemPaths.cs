using System.Buffers;
using System.Text;
using System.Text.Json;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Telemetry;
using Godwit.Store;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Serving;

/// <summary>The paths that are about the server itself.</summary>
internal sealed class SystemPaths(IRevisionStore store, DocumentPaths documents, ServerMetrics metrics, Func<string>? moreMetrics)
{
    public Task HandleAsync(ApiRequest request) => request.Info.Path switch
    {
        "/livez" or "/healthz" => WriteTextAsync(request, 200, "ok"),
        "/readyz" => ReadyAsync(request),
        "/metrics" => MetricsAsync(request),
        "/version" or "/version/" => Answer.WriteAsync(request, 200, BodyFormat.Json, VersionDocument.Write),
        _ => DocumentAsync(request),
    };

    private async Task DocumentAsync(ApiRequest request)
    {
        if (!await documents.TryHandleAsync(request))
        {
            throw StatusException.UnknownPath();
        }
    }

    private async Task ReadyAsync(ApiRequest request)
    {
        var report = new StringBuilder("[+]ping ok\n");
        var ready = true;
        try
        {
            await store.GetCurrentRevisionAsync(request.Stopping);
            report.Append("[+]store ok\n");
        }
        catch (StoreUnavailableException)
        {
            ready = false;
            report.Append("[-]store failed: it cannot be read\n");
        }

        report.Append(ready ? "readyz check passed\n" : "readyz check failed\n");
        await WriteTextAsync(request, ready ? 200 : 500, ready && !request.Http.Request.Query.ContainsKey("verbose") ? "ok" : report.ToString());
    }

    private async Task MetricsAsync(ApiRequest request)
    {
        var text = metrics.Write(await store.GetCurrentRevisionAsync(request.Stopping)) + moreMetrics?.Invoke();
        request.PrepareAnswer(200, "text/plain; version=0.0.4; charset=utf-8");
        await request.Http.Response.WriteAsync(text, request.Stopping);
    }

    private static async Task WriteTextAsync(ApiRequest request, int code, string text)
    {
        request.PrepareAnswer(code, "text/plain; charset=utf-8");
        await request.Http.Response.WriteAsync(text, request.Stopping);
    }
}

/// <summary>What <c>kubectl version</c> shows. The Kubernetes version is that of the API conventions this server follows.</summary>
internal static class VersionDocument
{
    public static string GitVersion { get; } = $"v1.32.0+godwit-{typeof(VersionDocument).Assembly.GetName().Version?.ToString(3) ?? "0.0.0"}";

    public static void Write(IBufferWriter<byte> output)
    {
        using var writer = new Utf8JsonWriter(output);
        writer.WriteStartObject();
        writer.WriteString("major"u8, "1"u8);
        writer.WriteString("minor"u8, "32"u8);
        writer.WriteString("gitVersion"u8, GitVersion);
        writer.WriteString("gitCommit"u8, ""u8);
        writer.WriteString("gitTreeState"u8, "clean"u8);
        writer.WriteString("buildDate"u8, "1970-01-01T00:00:00Z"u8);
        writer.WriteString("goVersion"u8, ""u8);
        writer.WriteString("compiler"u8, "dotnet"u8);
        writer.WriteString("platform"u8, $"linux/{(System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64")}");
        writer.WriteEndObject();
    }
}
