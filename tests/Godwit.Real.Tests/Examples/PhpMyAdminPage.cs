using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>phpMyAdmin as a person uses it, in a browser: the same page whichever way it was installed.</summary>
internal sealed class PhpMyAdminPage(Browser browser, Uri address)
{
    /// <summary>A database that makes its tables first, and a web server, on shared cores.</summary>
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);

    public async Task LogInAsync(string password)
    {
        // The server may still be starting: then the page says so, and is asked again.
        await Eventually.IsTrueAsync(
            "the page lets root in",
            StartBound,
            async () =>
            {
                await browser.OpenAsync(address);
                if (await browser.IsTrueAsync("document.querySelector('#input_go')"))
                {
                    await browser.FollowAsync($"document.querySelector('#input_username').value = 'root'; document.querySelector('#input_password').value = '{password}'; document.querySelector('#input_go').click()");
                }

                return await browser.IsTrueAsync("document.title.includes('| phpMyAdmin') && document.body.innerText.includes('MariaDB')");
            });
    }

    public async Task CreateTableAsync()
    {
        await browser.OpenAsync(new Uri(address, "index.php?route=/database/sql&db=shop"));
        await browser.UntilAsync("document.querySelector('#sqlqueryform .CodeMirror').CodeMirror && document.querySelector('#button_submit_query')");
        await browser.EvaluateAsync("document.querySelector('#sqlqueryform .CodeMirror').CodeMirror.setValue(\"CREATE TABLE birds (name VARCHAR(40) PRIMARY KEY, days INT); INSERT INTO birds VALUES ('bar-tailed godwit', 11)\")");
        await browser.EvaluateAsync("document.querySelector('#button_submit_query').click()");
        await browser.UntilAsync("document.body.innerText.includes('1 row inserted')");
    }

    /// <summary>Returns when the page shows what <see cref="CreateTableAsync"/> wrote.</summary>
    public async Task FindTableAsync()
    {
        await browser.OpenAsync(new Uri(address, "index.php?route=/sql&db=shop&table=birds&pos=0"));
        await browser.UntilAsync("document.querySelector('table.table_results').innerText.includes('bar-tailed godwit')");
    }
}
